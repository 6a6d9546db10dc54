"""Addresses, routes and rules."""

from table import broken

broken(
    "the network of the device swallows the gateway of the LAN",
    "tun0",
    setup="""
        ip netns add far; ip -n far link set lo up
        ip link add v0 type veth peer name eth0 netns far
        ip addr add 192.168.0.10/16 dev v0; ip link set v0 up
        ip -n far addr add 192.168.1.1/16 dev eth0; ip -n far link set eth0 up
        ip route add default via 192.168.1.1; make_tun tun0 192.168.1.77/24
        S sink tun0 0x1001 &
        attached tun0
        ask 192.168.1.1
        """,
    want=r"v0|gateway|192\.168\.0\.0/16|192\.168\.1\.1\b",
    probe="ping -c1 -W1 192.168.1.1",
    repair="ip addr flush dev tun0")

broken(
    "both ends of the tunnel are addresses of this host: nothing ever reaches the program",
    "tun0",
    setup="""
        ip tuntap add tun0 mode tun user nobody
        ip tuntap add tun1 mode tun user nobody
        ip addr add 192.168.13.1 peer 192.168.13.2 dev tun0
        ip addr add 192.168.13.2 peer 192.168.13.1 dev tun1
        ip link set tun0 up; ip link set tun1 up
        S patch tun0 tun1 &
        attached tun0; attached tun1; ping -q -c2 -i0.1 -W1 192.168.13.2
        """,
    want=r"this host|local|loopback|\blo\b",
    probe="a=$(tx tun0); ping -q -c1 -W1 192.168.13.2; [ $(tx tun0) -gt $a ]",
    fix=True)

broken(
    "the local route of the device's own address was removed (half of a recipe)",
    "tun0",
    setup="tun; ip route del local 10.0.0.1 dev tun0 table local",
    want=r"\blocal\b|own address",
    probe="to_host",
    repair="ip route add local 10.0.0.1 dev tun0 table local proto kernel scope host src 10.0.0.1",
    fix=True)

broken(
    "a throw route covers the device's network",
    "tun0",
    setup="tun; ip route add throw 10.0.0.0/25",
    want="throw",
    probe="to_guest",
    repair="ip route del throw 10.0.0.0/25",
    fix=True)

broken(
    "a multipath route spreads the device's network over another link",
    "tun0",
    setup="tun; more_guests; veth; ip route replace 10.0.0.0/24 nexthop dev tun0 nexthop dev v0",
    want="v0|multipath|nexthop|several",
    probe="guests",
    repair="ip route replace 10.0.0.0/24 dev tun0")

broken(
    "the address was added with noprefixroute",
    "tun0",
    setup="""
        ip tuntap add dev tun0 mode tun user nobody
        ip addr add 10.0.0.1/24 dev tun0 noprefixroute; ip link set tun0 up
        guest g tun0 tun 10.0.0.2/24 10.0.0.1
        """,
    want=r"10\.0\.0\.0/24 is not there|noprefixroute",
    level="error",
    probe="to_guest",
    repair="ip route add 10.0.0.0/24 dev tun0",
    fix=True)

broken(
    "a rule by source leads the answers away (multihoming)",
    "tun0",
    setup="""
        tun
        far; ip rule add pref 40 from 10.0.0.1 lookup 100
        ip route add default via 203.0.113.2 table 100
        """,
    want="pref 40",
    level="error",
    probe="to_host",
    repair="ip rule del pref 40",
    fix=True)

broken(
    "a rule on the input device drops what the guest sends to others",
    "tun0",
    setup="forward; tun; far return; ip rule add pref 30 iif tun0 blackhole",
    want="pref 30|iif tun0",
    probe="to_far",
    repair="ip rule del pref 30",
    fix=True,
    reason="IP_|NOROUTE|ip_error")

broken(
    "the loopback device is down (a new network namespace)",
    "tun0",
    setup="tun; ip link set lo down",
    want=r"\blo\b|loopback",
    probe="ping -c1 -W1 10.0.0.1",
    repair="ip link set lo up",
    fix=True)

broken(
    "pings to this host are switched off (icmp_echo_ignore_all)",
    "tun0",
    setup="tun; sysctl -qw net.ipv4.icmp_echo_ignore_all=1; to_host || true",
    want="icmp_echo_ignore|echo",
    probe="to_host",
    repair="sysctl -w net.ipv4.icmp_echo_ignore_all=0",
    fix=True)

broken(
    "the routes that a VPN accepts contain the network of the host itself, and a rule asks them first",
    "tun0",
    setup="""
        tun; far
        ip route add 203.0.113.0/24 dev tun0 table 52; ip rule add priority 5270 lookup 52
        again ping -c1 -W1 203.0.113.2; again ping -c1 -W1 10.0.0.2
        """,
    want=r"203\.0\.113\.2 leave through tun0, because of a policy rule: pref 5270 lookup 52",
    probe="ping -c1 -W1 203.0.113.2", fix=True,
    repair="ip rule add to 203.0.113.0/24 priority 2500 lookup main", source="tailscale/tailscale#6231")

broken(
    "the default route through the VPN has a larger metric than that of the network card: all packets go past it",
    "tun0",
    setup="""
        tun; far; ip route add default via 203.0.113.2 metric 20; ip route add default via 10.0.0.2 dev tun0 metric 50
        ip -n g addr add 198.51.100.77/32 dev lo; again ping -c1 -W1 10.0.0.2; again ping -c1 -W1 198.51.100.77
        """,
    want=r"through v0, whose default route has the metric 20: that of tun0 has the larger metric 50",
    probe="ping -c1 -W1 198.51.100.77", fix=True, repair="ip route add default via 10.0.0.2 dev tun0 metric 5",
    source="linuxkit/linuxkit#162")
