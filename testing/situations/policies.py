"""Policy routing, nexthop objects, and what routing daemons leave behind."""

from table import broken

broken(
    "systemd-networkd removed the rule for the table main",
    "tun0",
    setup="tun; ip rule del pref 32766; ask 10.0.0.2",
    want=r"\bmain\b|32766|rule",
    probe="to_guest",
    repair="ip rule add pref 32766 lookup main",
    fix=True, source="systemd/systemd#41350")

broken(
    "a rule for a port leads DNS away (split tunnel)",
    "tun0 --to 10.0.0.2 --proto udp --port 53",
    setup="""
        tun; far
        ip rule add pref 50 ipproto udp dport 53 lookup 100
        ip route add default via 203.0.113.2 table 100
        """,
    want="pref 50|dport|port 53|v0",
    probe="a=$(tx tun0); S send 10.0.0.2 53; [ $(tx tun0) -gt $a ]",
    repair="ip rule del pref 50",
    fix=True)

broken(
    "a rule for a range of users forbids the user of the VPN its own network",
    "tun0 --user nobody",
    setup="tun; ip rule add pref 60 uidrange 65000-65999 prohibit",
    want="pref 60|uidrange|UID",
    probe="a=$(tx tun0); S send 10.0.0.2 53 65534; [ $(tx tun0) -gt $a ]",
    repair="ip rule del pref 60",
    fix=True)

broken(
    "a rule for marked packets is unreachable before the table of the overlay (tailscale)",
    "tun0 --to 100.64.0.9",
    setup="""
        make_tun tun0 100.64.3.7/32; guest g tun0 tun 100.64.0.9/32
        ip -n g route add 100.64.3.7/32 dev eth0
        ip route add 100.64.0.0/10 dev tun0 table 52
        ip rule add pref 5210 fwmark 0x80000/0xff0000 lookup main
        ip rule add pref 5250 fwmark 0x80000/0xff0000 unreachable
        ip rule add pref 5270 lookup 52
        TYPE=route chain ip mangle OUTPUT output -150
        rule ip mangle OUTPUT ip daddr 100.64.0.0/10 meta mark set 0x80000
        """,
    want="5250|unreachable|0x80000",
    probe="ping -c1 -W1 100.64.0.9",
    repair="ip rule del pref 5250",
    source="tailscale/tailscale#21146")

broken(
    "Calico's blackhole route covers the guest",
    "tun0",
    setup="tun; ip route add blackhole 10.0.0.0/26 proto bird; ask 10.0.0.2",
    want="blackhole",
    probe="to_guest",
    repair="ip route del blackhole 10.0.0.0/26",
    fix=True)

broken(
    "a route uses a nexthop object that is a blackhole",
    "tun0",
    setup="""
        tun
        ip nexthop add id 7 blackhole
        ip route add 10.0.0.0/25 nhid 7
        """,
    want="blackhole|nexthop|nhid",
    probe="to_guest",
    repair="ip route del 10.0.0.0/25",
    fix=True)

broken(
    "NetworkManager gives the network of another link the smaller metric",
    "tun0",
    setup="""
        ip tuntap add dev tun0 mode tun user nobody
        ip addr add 10.0.0.1/24 dev tun0 metric 450
        ip link set tun0 up; guest g tun0 tun 10.0.0.2/24 10.0.0.1
        far; ip addr add 10.0.0.77/24 dev v0 metric 100
        """,
    want="v0|metric",
    probe="to_guest",
    repair="ip addr del 10.0.0.77/24 dev v0",
    source="tailscale/tailscale#1344")

broken(
    "a recipe for TPROXY makes the whole network local",
    "tun0 --to 10.0.0.2",
    setup="tun; ip route add local 10.0.0.0/25 dev lo table local",
    want=r"\blocal\b",
    probe="a=$(tx tun0); to_guest; [ $(tx tun0) -gt $a ]",
    repair="ip route del local 10.0.0.0/25 dev lo table local",
    fix=True)

broken(
    "the preferred source of the route is the address of another device",
    "tun0",
    setup="""
        make_tun; guest g tun0 tun 10.0.0.2/24; far
        ip route replace 10.0.0.0/24 dev tun0 src 203.0.113.1
        ask 10.0.0.2
        """,
    want=r"source|\bsrc\b|203\.0\.113\.1",
    probe="to_guest",
    repair="ip route replace 10.0.0.0/24 dev tun0 src 10.0.0.1")

broken(
    "the network behind the guest has no route (site to site)",
    "tun0 --to 10.20.0.1",
    setup="tun; ip -n g addr add 10.20.0.1/24 dev lo; ask 10.20.0.1",
    want=r"no route|unreachable|10\.20\.0",
    probe="ping -c1 -W1 10.20.0.1",
    repair="ip route add 10.20.0.0/24 via 10.0.0.2")

broken(
    "marked packets leave through the device, and rp_filter drops the answers (split tunnel by mark)",
    "tun0 --from 198.51.100.7",
    setup="""
        tun; far; ip route add default via 203.0.113.2
        ip -n g addr add 198.51.100.7/32 dev lo
        ip rule add pref 90 fwmark 1 lookup 100; ip route add default dev tun0 src 10.0.0.1 table 100
        sysctl -qw net.ipv4.conf.all.rp_filter=1
        ask -m 1 198.51.100.7
        """,
    want="rp_filter",
    probe="ping -c1 -W1 -m 1 198.51.100.7",
    repair="sysctl -w net.ipv4.conf.tun0.rp_filter=2",
    fix=True, reason="RPFILTER", source="linuxserver/docker-wireguard#15")

broken(
    "the route of the device locks a small MTU",
    "tun0 --to 10.0.0.2",
    setup="tun; ip route replace 10.0.0.0/24 dev tun0 src 10.0.0.1 mtu lock 600",
    want="MTU|600",
    probe="ping -c1 -W1 -s 1000 -M do 10.0.0.2",
    repair="ip route replace 10.0.0.0/24 dev tun0 src 10.0.0.1")

broken(
    "the rule of another VPN catches all but its own marks, before the table main: the network of the tap too",
    "tap0",
    setup="""
        tap
        ip tuntap add outline-tun0 mode tun; ip addr add 10.0.85.1/24 dev outline-tun0; ip link set outline-tun0 up
        S sink outline-tun0 0x1001 & attached outline-tun0
        ip route add default dev outline-tun0 table 7113
        ip rule add pref 28958 not fwmark 0x711e lookup 7113
        ask 10.0.0.2
        """,
    want="28958|7113",
    probe="to_guest",
    repair="ip rule add pref 28000 to 10.0.0.0/24 lookup main",
    fix=True, source="OutlineFoundation/outline-sdk#181")

broken(
    "mwan3 marks what the guest sends, and its policy has no uplink left",
    "tun0 --from 10.0.0.2 --to 203.0.113.2",
    setup="""
        forward; tun; far return
        chain ip mangle PREROUTING prerouting -150
        for c in mwan3_hook mwan3_rules mwan3_policy_balanced; do nft add chain ip mangle $c; done
        rule ip mangle PREROUTING counter jump mwan3_hook
        rule ip mangle mwan3_hook meta mark and 0x3f00 == 0 counter jump mwan3_rules
        rule ip mangle mwan3_rules iifname tun0 counter jump mwan3_policy_balanced
        rule ip mangle mwan3_policy_balanced meta mark set meta mark and 0xffffc0ff or 0x3e00
        ip rule add pref 2061 fwmark 0x3d00/0x3f00 blackhole
        ip rule add pref 2062 fwmark 0x3e00/0x3f00 unreachable
        ask_from g 203.0.113.2
        """,
    want="2062|0x3e00|mwan3",
    probe="to_far",
    repair="ip rule del pref 2062",
    fix=True, reason="NOROUTE|ADDR")

broken(
    "an IPsec policy that a tunnel left covers the network of the device",
    "tun0",
    setup="""
        tun; far
        ip xfrm policy add dir out src 0.0.0.0/0 dst 10.0.0.0/8 \\
          tmpl src 203.0.113.1 dst 203.0.113.2 proto esp mode tunnel
        ask 10.0.0.2
        """,
    want="xfrm|IPsec",
    probe="to_guest",
    repair="ip xfrm policy delete dir out src 0.0.0.0/0 dst 10.0.0.0/8",
    fix=True, reason="XFRM", requires="ip xfrm policy")

broken(
    "a Docker network, without a container, covers a part of the network of the VPN",
    "tun0",
    setup="""
        tun
        bridge_up br-5c1d9e07ab32; ip addr add 10.0.0.126/25 dev br-5c1d9e07ab32
        ask 10.0.0.2
        """,
    want="br-5c1d9e07ab32",
    probe="to_guest",
    repair="ip addr del 10.0.0.126/25 dev br-5c1d9e07ab32",
    fix=True, source="docker/for-linux#288")

broken(
    "the kernel remembers an MTU of a path that has since been mended",
    "tun0 --to 10.20.0.1",
    setup="""
        tun; ip route add 10.20.0.0/24 via 10.0.0.2
        ip netns add h; ip link add w0 netns g type veth peer name eth0 netns h
        ip -n g addr add 10.20.0.2/24 dev w0; ip -n g link set w0 mtu 600 up
        ip -n h addr add 10.20.0.1/24 dev eth0; ip -n h link set eth0 up; ip -n h route add default via 10.20.0.2
        ip netns exec g sysctl -qw net.ipv4.ip_forward=1
        ask -s 1000 -M do 10.20.0.1
        ip -n g link set w0 mtu 1500
        """,
    want=r"\b600\b|path MTU|exception",
    probe="ping -c1 -W1 -s 1000 -M do 10.20.0.1",
    repair="ip route flush cache",
    fix=True)

broken(
    "a mark leads one user into the VPN, and the reverse path filter drops the answers, whose route has no mark",
    "tun0",
    setup="""
        sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
        tun; far; ip route add default via 203.0.113.2
        ip -n g addr add 192.0.2.7/32 dev lo; ip netns exec g "$PY" "$HELPER" echo 192.0.2.7 5353 &
        ip route add default via 10.0.0.2 dev tun0 table 3; ip rule add fwmark 3 lookup 3
        TYPE=route chain ip mangle OUTPUT output -150
        rule ip mangle OUTPUT udp dport 5353 meta mark set 3
        TYPE=nat chain ip nat POSTROUTING postrouting 100
        rule ip nat POSTROUTING oifname tun0 masquerade
        "$PY" "$HELPER" beat 192.0.2.7 5353 &
        again ping -c1 -W1 10.0.0.2; ping -q -c40 -i0.01 203.0.113.2; sleep 0.6
        """,
    want=r"drops what the program answers to this host: IP_RPFILTER.*reverse path filter",
    probe="replied", fix=True,
    repair="sysctl -qw net.ipv4.conf.tun0.rp_filter=2", reason="IP_RPFILTER", source="SagerNet/sing-box#4101")
