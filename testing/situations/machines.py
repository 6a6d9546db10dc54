"""What goes wrong on hosts of virtual machines: bridges, libvirt, LXD, owners of taps."""

from table import broken

NETFILTER = "NETFILTER"

broken(
    "nobody set the bridge up",
    "tap0",
    setup="""
        ip link add br0 type bridge; ip addr add 10.0.0.1/24 dev br0
        port tap0; guest g tap0 tap 10.0.0.2/24
        """,
    want=r"\bbr0\b.*\b(down|not up)\b",
    probe="to_host",
    repair="ip link set br0 up",
    fix=True, reason="STP|BRIDGE|br_")

broken(
    "libvirt made its bridge again, and the tap of the running machine is no port of it",
    "vnet0",
    setup="""
        bridge_up virbr0; ip addr add 10.0.0.1/24 dev virbr0
        port vnet0 virbr0; guest g vnet0 tap 10.0.0.2/24 10.0.0.1
        ip link del virbr0; bridge_up virbr0; ip addr add 10.0.0.1/24 dev virbr0
        ask_from g 10.0.0.1
        """,
    want=r"virbr0|\bbridge\b|\bmaster\b",
    probe="to_host",
    repair="ip link set vnet0 master virbr0",
    needfix="virbr0")

broken(
    "the uplink is a port of the bridge, and nobody set it up",
    "tap0",
    setup="""
        bridge_up; far; ip addr flush dev v0; ip link set v0 down; ip link set v0 master br0
        ip addr add 203.0.113.1/24 dev br0
        port tap0; guest g tap0 tap 203.0.113.50/24 203.0.113.1
        ask_from g 203.0.113.2
        """,
    want=r"\bv0\b",
    probe="to_far",
    repair="ip link set v0 up",
    fix=True)

broken(
    "the uplink is not a port of the bridge: the guest has an address of the LAN, and is alone",
    "tap0",
    setup="""
        far; ip route add default via 203.0.113.2
        bridge_up; port tap0; guest g tap0 tap 203.0.113.50/24 203.0.113.2
        ask_from g 203.0.113.2
        """,
    want=r"\bbr0\b.*(uplink|other port|only port|one port|alone|nowhere)|\bv0\b",
    probe="to_far",
    repair="ip link set v0 master br0")

broken(
    "ufw drops the DHCP requests of the guests on the bridge of LXD",
    "tap0",
    setup="""
        bridge_up lxdbr0; ip addr add 10.0.0.1/24 dev lxdbr0
        port tap0 lxdbr0; guest g tap0 tap ''
        S server 0.0.0.0 67 &
        chain ip filter INPUT input 0 drop
        for c in before after skip-to-policy user; do nft add chain ip filter ufw-$c-input; done
        nft add chain ip filter ufw-not-local
        rule ip filter INPUT counter jump ufw-before-input; rule ip filter INPUT counter jump ufw-after-input
        rule ip filter ufw-before-input iifname lo counter accept
        rule ip filter ufw-before-input ct state related,established counter accept
        rule ip filter ufw-before-input ct state invalid counter drop
        rule ip filter ufw-before-input icmp type echo-request counter accept
        rule ip filter ufw-before-input udp sport 67 udp dport 68 counter accept
        rule ip filter ufw-before-input counter jump ufw-not-local
        rule ip filter ufw-before-input counter jump ufw-user-input
        rule ip filter ufw-not-local fib daddr type '{ local, multicast, broadcast }' counter return
        rule ip filter ufw-not-local counter drop
        rule ip filter ufw-user-input tcp dport 22 counter accept
        for p in 137 138 67 68; do
          rule ip filter ufw-after-input udp dport $p counter jump ufw-skip-to-policy-input
        done
        rule ip filter ufw-after-input fib daddr type broadcast counter jump ufw-skip-to-policy-input
        rule ip filter ufw-skip-to-policy-input counter drop
        sleep 0.3; for _ in 1 2 3; do ip netns exec g "$PY" "$HELPER" discover eth0; done
        """,
    want="(?-i:ufw-|INPUT)",
    probe='more_udp ip netns exec g "$PY" "$HELPER" discover eth0',
    repair="nft add rule ip filter ufw-user-input iifname lxdbr0 accept",
    fix=True, reason=NETFILTER, source="canonical/lxd#14808")

broken(
    "a port of the host leads to a machine of libvirt's NAT network, and libvirt rejects new connections",
    "vnet0",
    setup="""
        forward; far
        bridge_up virbr0; ip addr add 192.168.122.1/24 dev virbr0
        port vnet0 virbr0; guest g vnet0 tap 192.168.122.10/24 192.168.122.1
        ip netns exec g "$PY" "$HELPER" server 192.168.122.10 8080 &
        TYPE=nat chain ip nat PREROUTING prerouting -100
        rule ip nat PREROUTING ip daddr 203.0.113.1 udp dport 8080 counter dnat to 192.168.122.10
        TYPE=nat chain ip nat POSTROUTING postrouting 100
        rule ip nat POSTROUTING ip saddr 192.168.122.0/24 ip daddr != 192.168.122.0/24 counter masquerade
        chain ip filter FORWARD forward 0
        for c in LIBVIRT_FWX LIBVIRT_FWI LIBVIRT_FWO; do
          nft add chain ip filter $c; rule ip filter FORWARD counter jump $c
        done
        rule ip filter LIBVIRT_FWX iifname virbr0 oifname virbr0 counter accept
        rule ip filter LIBVIRT_FWI oifname virbr0 ip daddr 192.168.122.0/24 ct state related,established counter accept
        rule ip filter LIBVIRT_FWI oifname virbr0 counter reject
        rule ip filter LIBVIRT_FWO iifname virbr0 ip saddr 192.168.122.0/24 counter accept
        rule ip filter LIBVIRT_FWO iifname virbr0 counter reject
        sleep 0.3; ip netns exec far "$PY" "$HELPER" send 203.0.113.1 8080
        """,
    want="LIBVIRT_FWI",
    probe='more_udp ip netns exec far "$PY" "$HELPER" send 203.0.113.1 8080',
    repair="nft insert rule ip filter LIBVIRT_FWI oifname virbr0 udp dport 8080 accept",
    fix=True, reason=NETFILTER)

broken(
    "the tap belongs to the user of another program",
    "tap0 --user nobody",
    setup="ip tuntap add dev tap0 mode tap user daemon; ip link set tap0 up",
    want=r"\bdaemon\b",
    level="error",
    probe="as_nobody tap0 0x1002",
    repair="ip tuntap del dev tap0 mode tap; ip tuntap add dev tap0 mode tap user nobody",
    fix=True)

broken(
    "two guests have the same IP address (a cloned machine), and different MAC addresses",
    "tap1",
    setup="""
        bridge_up; ip addr add 10.0.0.1/24 dev br0
        port tap0; port tap1; guest g tap0 tap 10.0.0.2/24; guest h tap1 tap 10.0.0.2/24
        ask_from g 10.0.0.1; sleep 1.2; ask_from h 10.0.0.1; ask_from g 10.0.0.1
        """,
    want=(r"10\.0\.0\.2\b.*(two|both|duplicate|another|twice|second|conflict)"
          r"|(two|both|duplicate|twice|conflict).*10\.0\.0\.2\b"),
    probe="ip netns exec g ping -c1 -W1 10.0.0.1 && ip netns exec h ping -c1 -W1 10.0.0.1",
    repair="ip -n h addr flush dev eth0; ip -n h addr add 10.0.0.3/24 dev eth0; ip neigh flush dev br0",
    missed="it sees two programs with one IP address only while both send")

broken(
    "the network behind the guest has a route to the tap without a gateway",
    "tap0",
    setup="""
        tap; ip netns add lan; ip link add w0 netns g type veth peer name eth0 netns lan
        ip -n g addr add 10.20.0.1/16 dev w0; ip -n g link set w0 up
        ip netns exec g sysctl -qw net.ipv4.ip_forward=1
        ip -n lan addr add 10.20.0.2/16 dev eth0; ip -n lan link set eth0 up; ip -n lan route add default via 10.20.0.1
        ip route add 10.20.0.0/16 dev tap0
        ask 10.20.0.2
        """,
    want=r"10\.20\.0\.0/16.*(gateway|\bvia\b|router|on.?link)|(gateway|\bvia\b|router|on.?link).*10\.20\.0\.0/16",
    probe="ping -c1 -W1 10.20.0.2",
    repair="ip route replace 10.20.0.0/16 via 10.0.0.2")
