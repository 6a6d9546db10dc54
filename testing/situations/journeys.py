"""Packets between two other networks, one of them behind the device, and those of the program itself."""

from table import broken, healthy

NETFILTER = "NETFILTER"

broken(
    "the clients of one VPN go to an office through another, which knows no route back to them",
    "tun0",
    setup="""
        forward; tun; make_tun tun1 10.8.0.2/24; guest office tun1 tun 10.8.0.1/24
        ip -n office addr add 192.168.50.1/24 dev lo; ip route add 192.168.50.0/24 via 10.8.0.1
        ip netns exec g ping -q -c8 -i0.1 -W1 192.168.50.1 || true
        """,
    want=(r"\btun1\b.*(masquerad|\bNAT\b|(way|route) back)|(masquerad|\bNAT\b|(way|route) back).*\btun1\b"),
    probe="ip netns exec g ping -c1 -W1 192.168.50.1",
    repair="ip -n office route add 10.0.0.0/24 via 10.8.0.2",
    fix=True)

healthy(
    "the clients of one VPN go to an office through another, which has a route back to them",
    "tun0",
    setup="""
        forward; tun; make_tun tun1 10.8.0.2/24; guest office tun1 tun 10.8.0.1/24
        ip -n office addr add 192.168.50.1/24 dev lo; ip route add 192.168.50.0/24 via 10.8.0.1
        ip -n office route add 10.0.0.0/24 via 10.8.0.2
        ip netns exec g ping -q -c8 -i0.1 -W1 192.168.50.1
        """,
    probe="ip netns exec g ping -c1 -W1 192.168.50.1")

healthy(
    "local IPv6 addresses are masqueraded as the IPv4 ones are",
    "tun0",
    setup="""
        forward; sysctl -qw net.ipv6.conf.all.forwarding=1
        tun6; far; ip -n far route del fd00::/64; ip -n g route add default via fd00::1
        for f in ip ip6; do TYPE=nat chain $f nat POSTROUTING postrouting 100; done
        rule ip nat POSTROUTING ip saddr 10.0.0.0/24 oifname v0 counter masquerade
        rule ip6 nat POSTROUTING ip6 saddr fd00::/64 oifname v0 counter masquerade
        ip netns exec g ping -q -c8 -i0.1 -W1 2001:db8::2
        """,
    probe="to_far6 && to_far")

broken(
    "the IPv6 network of a VPN is masqueraded on another device than the one of its default route",
    "tun0",
    setup="""
        forward; sysctl -qw net.ipv6.conf.all.forwarding=1
        tun6; far; ip -n far route del fd00::/64; ip -n g route add default via fd00::1
        ip -6 route add default via 2001:db8::2
        ip link add eth9 type veth peer name eth8; ip link set eth9 up; ip link set eth8 up
        TYPE=nat chain ip6 nat POSTROUTING postrouting 100
        rule ip6 nat POSTROUTING ip6 saddr fd00::/64 oifname eth9 counter masquerade
        ip netns exec g ping -q -c8 -i0.1 -W1 2001:db8::2 || true
        """,
    want=r"fd00::.*\bv0\b",
    probe="to_far6",
    repair="nft add rule ip6 nat POSTROUTING oifname v0 masquerade",
    fix=True)

broken(
    "a rule of the bridge drops what one guest sends to the other",
    "tap0 --from 10.0.0.2 --to 10.0.0.3",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0; ask 10.0.0.2; ask 10.0.0.3
        chain bridge f forward forward 0
        rule bridge f forward iifname tap0 oifname tap1 ip protocol icmp counter drop
        ask_from g 10.0.0.3
        """,
    want=r"\bbridge f forward\b",
    probe="g_to_h",
    repair="nft flush chain bridge f forward",
    fix=True, reason=NETFILTER)

healthy(
    "guests of one bridge reach one another, although this host forwards nothing for them",
    "tap0 --from 10.0.0.2 --to 10.0.0.3",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0; ask 10.0.0.2; ask 10.0.0.3
        sysctl -qw net.bridge.bridge-nf-call-iptables=0 || true
        chain ip filter FORWARD forward 0 drop
        rule ip filter FORWARD iifname br0 counter reject
        ask_from g 10.0.0.3
        """,
    probe="g_to_h")

VPN = """
    far; make_tun; S vpn tun0 1194 &
    attached tun0
    ip netns exec far "$PY" "$HELPER" vpn tun0 1194 203.0.113.1 &
    wait_for "ip -n far link show tun0"
    ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up
    """
INPUT = """
    chain ip filter INPUT input 0 drop
    rule ip filter INPUT ct state related,established counter accept
    rule ip filter INPUT iifname '{ lo, tun0, tap0 }' counter accept
    rule ip filter INPUT meta l4proto icmp counter accept
    """
TO_VPN = "ip netns exec far ping -c1 -W1 10.0.0.1"

healthy(
    "a VPN daemon whose UDP port is open, and nobody is connected",
    "tun0",
    setup="far; make_tun; S vpn tun0 1194 & attached tun0;" + INPUT + """
        rule ip filter INPUT udp dport 1194 counter accept
        ip netns exec far "$PY" "$HELPER" send 203.0.113.1 1195
        """)

healthy(
    "a VPN client that speaks from a fixed port, which the firewall does not open",
    "tun0",
    setup=INPUT + """
        far; make_tun; ip netns exec far "$PY" "$HELPER" server 203.0.113.2 1194 &
        S vpn tun0 1194 203.0.113.2 &
        attached tun0; sleep 0.3; ip netns exec far "$PY" "$HELPER" send 203.0.113.1 1195; ask 10.0.0.2
        """)

broken(
    "a rule of a container leads the port of the VPN daemon elsewhere",
    "tun0",
    setup=VPN + """
        forward; TYPE=nat chain ip nat PREROUTING prerouting -100
        rule ip nat PREROUTING udp dport 1194 counter dnat to 172.17.0.2
        ask_from far 10.0.0.1
        """,
    want=r"\b1194\b.*172\.17\.0\.2",
    probe=TO_VPN,
    repair="nft flush chain ip nat PREROUTING",
    fix=True)

broken(
    "a kill switch: the firewall lets the VPN client itself send nothing to its server",
    "tun0",
    setup="""
        chain ip filter OUTPUT output 0 drop
        rule ip filter OUTPUT oifname '{ lo, tun0 }' counter accept
        """ + VPN.replace("S vpn tun0 1194 &", "S vpn tun0 1194 203.0.113.2 &") + "ask 10.0.0.2",
    want=r"OUTPUT.*|1194.*OUTPUT",
    probe="to_guest",
    repair="nft insert rule ip filter OUTPUT udp dport 1194 accept",
    fix=True)

broken(
    "a published port, and this host does not forward what arrives through its uplink",
    "tap0",
    setup="""
        far; tap; ip netns exec g "$PY" "$HELPER" server 10.0.0.2 8080 &
        TYPE=nat chain ip nat PREROUTING prerouting -100
        rule ip nat PREROUTING iifname v0 udp dport 80 counter dnat to 10.0.0.2:8080
        sleep 0.3; ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80
        """,
    want=r"forward.*\bv0\b",
    probe='more_udp ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80',
    repair="forward",
    fix=True)

PUBLISHED = """
    forward; far; tap; ip netns exec g "$PY" "$HELPER" server 10.0.0.2 8080 &
    TYPE=nat chain ip nat PREROUTING prerouting -100
    nft add chain ip nat DOCKER; rule ip nat PREROUTING fib daddr type local counter jump DOCKER
    rule ip nat DOCKER iifname != tap0 udp dport '{ 80, 81 }' counter dnat to 10.0.0.2:8080
    chain ip filter FORWARD forward 0 drop
    nft add chain ip filter DOCKER-USER; rule ip filter FORWARD counter jump DOCKER-USER
    rule ip filter FORWARD ct state related,established counter accept
    """
SEND = 'more_udp ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80'

broken(
    "a published port, and the policy of Docker drops what is forwarded to the machine",
    "tap0",
    setup=PUBLISHED + 'sleep 0.3; ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80',
    want="FORWARD",
    probe=SEND,
    repair="nft add rule ip filter DOCKER-USER oifname tap0 accept",
    needfix="8080", fix=True, reason=NETFILTER)

healthy(
    "a published port, which Docker's policy lets pass",
    "tap0",
    setup=PUBLISHED + """rule ip filter DOCKER-USER oifname tap0 ct status dnat counter accept
        sleep 0.3; ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80
        ip netns exec far "$PY" "$HELPER" send 203.0.113.1 9999
        """,
    probe=SEND)

healthy(
    "guests of a masqueraded network, which the firewall protects from the network outside",
    "tap0",
    setup="""
        forward; far return; tap
        TYPE=nat chain ip nat POSTROUTING postrouting 100
        rule ip nat POSTROUTING oifname v0 counter masquerade
        chain ip filter FORWARD forward 0
        rule ip filter FORWARD oifname tap0 ct state related,established counter accept
        rule ip filter FORWARD oifname tap0 counter reject
        ask_from far 10.0.0.2; ask_from g 203.0.113.2
        """,
    probe="to_far")

broken(
    "a host of the network outside asks for a client of the VPN, and the firewall drops it",
    "tun0 --from 203.0.113.2 --to 10.0.0.2",
    setup="""
        forward; far return; tun
        chain ip filter FORWARD forward 0 drop
        rule ip filter FORWARD iifname tun0 counter accept
        rule ip filter FORWARD ct state related,established counter accept
        ask_from far 10.0.0.2
        """,
    want="FORWARD",
    probe="ip netns exec far ping -c1 -W1 10.0.0.2",
    repair="nft add rule ip filter FORWARD oifname tun0 accept",
    fix=True, reason=NETFILTER)

broken(
    "the DNS server for the guests listens on the address of the bridge, and the firewall drops their questions",
    "tap0",
    setup="""
        bridge_up virbr0; ip addr add 10.0.0.1/24 dev virbr0
        port tap0 virbr0; guest g tap0 tap 10.0.0.2/24 10.0.0.1
        S server 10.0.0.1 53 &
        chain inet filter input input 0 drop
        rule inet filter input ct state established,related accept
        rule inet filter input meta l4proto '{ icmp, ipv6-icmp }' accept
        rule inet filter input iifname lo accept
        sleep 0.3; ask_from g 10.0.0.1; for _ in 1 2 3; do ip netns exec g "$PY" "$HELPER" send 10.0.0.1 53; done
        """,
    want=r"DNS.*\binput\b",
    probe='more_udp ip netns exec g "$PY" "$HELPER" send 10.0.0.1 53',
    repair="nft add rule inet filter input udp dport 53 accept",
    fix=True, reason=NETFILTER)

healthy(
    "the firewall lets the guests ask for addresses and names, and nothing else",
    "tap0",
    setup="""
        bridge_up virbr0; ip addr add 10.0.0.1/24 dev virbr0
        port tap0 virbr0; guest g tap0 tap 10.0.0.2/24 10.0.0.1
        S server 10.0.0.1 53 &
        S server 0.0.0.0 67 &
        S server 10.0.0.1 8080 &
        chain inet filter input input 0 drop
        rule inet filter input ct state established,related accept
        rule inet filter input meta l4proto '{ icmp, ipv6-icmp }' accept
        rule inet filter input iifname virbr0 udp dport '{ 53, 67 }' accept
        sleep 0.3; ask_from g 10.0.0.1; ip netns exec g "$PY" "$HELPER" send 10.0.0.1 53
        """,
    probe='more_udp ip netns exec g "$PY" "$HELPER" discover eth0')
