"""Causes that single packets show: messages to the link that nobody takes, packets whose hops are used up, and two
hosts with one address. Each has a host that works."""

from table import broken, healthy

# asked DEV: this host has received some router solicitations there
ASKED = """
    asked() { [ "$(awk '$1 == "Icmp6InRouterSolicits" { print $2 }' "/proc/net/dev_snmp6/$1")" -ge 3 ]; }
"""

# A bridge whose machine asks for IPv6 routers, in a network of this host, which forwards IPv6
ROUTERLESS = ASKED + """
    IPV6=yes; bridge_up virbr7; ip addr add 10.0.0.1/24 dev virbr7; port tap0 virbr7
    sysctl -qw net.ipv6.conf.all.forwarding=1
    guest g tap0 tap 10.0.0.2/24 10.0.0.1; wait_for to_host; again to_host
    ip netns exec g "$PY" "$HELPER" solicit eth0 &
"""

broken(
    "a bridge has an IPv6 network, and its machine waits for a router advertisement that nobody sends",
    "tap0",
    setup=ROUTERLESS + "ip addr add fd00:7::1/64 dev virbr7 nodad; wait_for 'asked virbr7'",
    want=r"nobody sends IPv6 router advertisements on virbr7.*fd00:7::/64",
    probe="ip netns exec g ping -c1 -W1 fd00:7::1",
    repair="ip -n g addr add fd00:7::9/64 dev eth0 nodad",
    fix=False)

broken(
    "a tap has an IPv6 network, and the machine asked for routers some time ago, when nobody answered",
    "tap0",
    setup=ASKED + """
        IPV6=yes; tap; ip addr add fd00:7::1/64 dev tap0 nodad; sysctl -qw net.ipv6.conf.all.forwarding=1
        ip netns exec g "$PY" "$HELPER" solicit eth0 & wait_for 'asked tap0'; kill $!; again to_host
        """,
    want=r"nobody sends IPv6 router advertisements on tap0.*fd00:7::/64",
    probe="ip netns exec g ping -c1 -W1 fd00:7::1",
    repair="ip -n g addr add fd00:7::9/64 dev eth0 nodad",
    fix=False)

healthy(
    "another machine of the bridge sends the router advertisements for its IPv6 network",
    "tap0",
    setup=ROUTERLESS + """
        ip addr add fd00:7::1/64 dev virbr7 nodad; port tap1 virbr7; guest h tap1 tap 10.0.0.3/24
        S advertise h eth0 fd00:7:: & wait_for "ip -n g -6 addr show dev eth0 | grep -q fd00:7:"
        wait_for 'asked virbr7'
        """,
    probe="ip netns exec g ping -c1 -W1 fd00:7::1")

healthy(
    "a machine asks for IPv6 routers, but has a configured address, and uses it",
    "tap0",
    setup=ROUTERLESS + """
        ip addr add fd00:7::1/64 dev virbr7 nodad; ip -n g addr add fd00:7::9/64 dev eth0 nodad; wait_for 'asked virbr7'
        again ip netns exec g ping -c1 -W1 fd00:7::1
        """,
    probe="ip netns exec g ping -c1 -W1 fd00:7::1")

healthy(
    "a machine asks for IPv6 routers, and the network of its bridge has IPv4 alone",
    "tap0",
    setup=ROUTERLESS + "wait_for 'asked virbr7'",
    probe="to_host")

healthy(
    "a machine asks for IPv6 routers, and this host forwards no IPv6",
    "tap0",
    setup=ROUTERLESS + """
        wait_for 'asked virbr7'
        ip addr add fd00:7::1/64 dev virbr7 nodad; sysctl -qw net.ipv6.conf.all.forwarding=0
        """,
    probe="to_host")

# Two machines that announce themselves by LLDP
LLDP = """
    two_taps; for n in g h; do ip netns exec $n "$PY" "$HELPER" lldp eth0 & done
    again ip netns exec g ping -c1 -W1 10.0.0.3
"""

broken(
    "two machines of a bridge do not see each other's LLDP",
    "tap0",
    setup=LLDP + "wait_for g_to_h",
    want=r"br0 does not forward frames to 01:80:c2:00:00:0e, such as those of LLDP \(group_fwd_mask\)",
    probe='ip netns exec h "$PY" "$HELPER" neighbour eth0',
    repair="ip link set br0 type bridge group_fwd_mask 0x4000",
    fix=True, reason="UNHANDLED_PROTO", source="wemulate/wemulate#91")

healthy(
    "a bridge forwards the LLDP of its machines",
    "tap0",
    setup=LLDP + "ip link set br0 type bridge group_fwd_mask 0x4000",
    probe='ip netns exec h "$PY" "$HELPER" neighbour eth0')

healthy(
    "the machines of a bridge announce themselves by LLDP to this host, which has an address there",
    "tap0",
    setup=LLDP + "ip addr add 10.0.0.1/24 dev br0",
    probe="to_host && g_to_h")

healthy(
    "one of two machines announces itself by LLDP",
    "tap0",
    setup='two_taps; ip netns exec g "$PY" "$HELPER" lldp eth0 & again ip netns exec g ping -c1 -W1 10.0.0.3',
    probe="g_to_h")

# A provider whose packets have a TTL of 1
TETHERED = """
    far return; forward; tap
    ip netns exec far nft 'add table ip p; add chain ip p o { type filter hook output priority mangle; }'
    ip netns exec far nft 'add rule ip p o ip daddr != 203.0.113.1 ip ttl set 1'
    again to_far; again to_host
"""

broken(
    "the provider sends packets with a TTL of 1, which this host does not forward",
    "tap0",
    setup=TETHERED + "wait_for 'ping -c1 -W1 203.0.113.2'",
    want=r"answers of 203\.0\.113\.2 to the program arrive through v0 with a TTL of 1",
    probe="to_far",
    repair="nft 'add table ip m; add chain ip m p { type filter hook prerouting priority mangle; }'; "
           "nft add rule ip m p iifname v0 ip ttl set 65",
    fix=True, reason="IP_INHDR", source="khadas/linux#37")

healthy(
    "the provider sends packets with a TTL of 1, and this host sets a larger one",
    "tap0",
    setup=TETHERED + """
        nft 'add table ip m; add chain ip m p { type filter hook prerouting priority mangle; }'
        nft add rule ip m p iifname v0 ip ttl set 65
        """,
    probe="to_far")

broken(
    "the provider sends IPv6 packets with a hop limit of 1, which this host does not forward",
    "tap0",
    setup="""
        IPV6=yes; far; tap6; sysctl -qw net.ipv6.conf.all.forwarding=1; ip -n g route add default via fd00::1
        ip netns exec far nft 'add table ip6 p; add chain ip6 p o { type filter hook output priority mangle; }'
        ip netns exec far nft 'add rule ip6 p o icmpv6 type echo-reply ip6 hoplimit set 1'
        wait_for 'ping -c1 -W1 2001:db8::2'; again to_far6
        """,
    want=r"answers of 2001:db8::2 to the program arrive through v0 with a hop limit of 1",
    probe="to_far6",
    repair="nft 'add table ip6 m; add chain ip6 m p { type filter hook prerouting priority mangle; }'; "
           "nft add rule ip6 m p iifname v0 icmpv6 type echo-reply ip6 hoplimit set 65",
    fix=True, reason="IP_INHDR")

# A program of this host listens to a multicast group, to which the machine sends; the default route is another link's
DISCOVERY = """
    far; tap; ip route add default via 203.0.113.2; %s
    S member 239.255.0.1 7400 & wait_for "grep -q 0100FFEF /proc/net/igmp"
    again ip netns exec g "$PY" "$HELPER" question 239.255.0.1 7400; again to_host
"""

broken(
    "a program waits for multicast of the machine on the link of the default route",
    "tap0",
    setup=DISCOVERY % "",
    want=r"multicast group 239\.255\.0\.1 \(UDP port 7400\): they have joined it on v0, and not on tap0",
    probe='ip netns exec g "$PY" "$HELPER" question 239.255.0.1 7400',
    repair="ip route add 224.0.0.0/4 dev tap0",
    fix=True, source="RobotLocomotion/drake-ros#104")

healthy(
    "a program waits for multicast of the machine on its tap, because of a route",
    "tap0",
    setup=DISCOVERY % "ip route add 224.0.0.0/4 dev tap0",
    probe='ip netns exec g "$PY" "$HELPER" question 239.255.0.1 7400')

healthy(
    "a machine searches for media servers, and this host serves media on another link",
    "tap0",
    setup="""
        far; tap; ip route add default via 203.0.113.2; S member 239.255.255.250 1900 &
        wait_for "grep -q FAFFFFEF /proc/net/igmp"
        again ip netns exec g "$PY" "$HELPER" question 239.255.255.250 1900; again to_host
        """,
    probe="to_host")

# A LAN behind v0: 10.0.0.9 talks with this host, and the machine with another one
LAN = """
    ip netns add far; ip link add v0 type veth peer name eth0 netns far; ip link set v0 up
    ip -n far addr add 10.0.0.9/24 dev eth0; ip -n far link set eth0 up
    bridge_up; ip link set v0 master br0; ip addr add 10.0.0.1/24 dev br0; port tap0; port tap1
    guest h tap1 tap 10.0.0.3/24; guest g tap0 tap %s/24
    again ip netns exec g ping -c1 -W1 10.0.0.3; sleep 0.5; ip neigh flush dev br0
    from_far() { ip netns exec far ping -c1 -W1 10.0.0.1; }; wait_for from_far; again from_far
"""

broken(
    "a host of the LAN has the address of the machine, which talks with another machine alone",
    "tap0",
    setup=LAN % "10.0.0.9",
    want=r"two programs have the same IP address 10\.0\.0\.9, one here and one behind v0",
    probe="to_host && ip netns exec far ping -c1 -W1 10.0.0.1 && to_host",
    repair="ip -n far addr del 10.0.0.9/24 dev eth0; ip -n far addr add 10.0.0.8/24 dev eth0; ip neigh flush dev br0",
    fix=False, source="vmware/vic#7485")

healthy(
    "the machine and a host of the LAN have different addresses, and the machine talks with another machine alone",
    "tap0",
    setup=LAN % "10.0.0.2",
    probe="g_to_h")
