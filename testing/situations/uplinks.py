"""Bridges whose way to other hosts is broken, and taps that are no port of their bridge; each with healthy twins."""

from table import broken, healthy

broken(
    "the tap of a machine left the bridge, which has other machines",
    "tap0",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0; ask_from g 10.0.0.1
        ip link set tap0 nomaster; ask_from g 10.0.0.1
        """,
    want=r"bridge.*\bbr0\b|\bbr0\b.*bridge",
    probe="to_host",
    repair="ip link set tap0 master br0",
    fix=True, needfix="br0")

broken(
    "the tap was never added to a bridge, and has no address",
    "tap0",
    setup="""
        ip link add br7 type bridge; ip link set br7 up; ip addr add 10.0.0.1/24 dev br7
        port tap1 br7; guest h tap1 tap 10.0.0.3/24
        ip tuntap add dev tap0 mode tap user nobody; ip link set tap0 up; guest g tap0 tap 10.0.0.2/24
        ask_from g 10.0.0.1
        """,
    want=r"\bbridge\b",
    probe="to_host",
    repair="ip link set tap0 master br7",
    needfix="br7")

healthy(
    "Kata Containers: traffic control joins the tap of a machine with the container's link, beside an empty docker0",
    "tap0",
    setup="""
        bridge_up docker0; ip addr add 172.17.0.1/16 dev docker0
        far; ip addr flush dev v0
        ip tuntap add dev tap0 mode tap user nobody; ip link set tap0 up; guest g tap0 tap 203.0.113.50/24
        for d in v0:tap0 tap0:v0; do
          tc qdisc add dev ${d%:*} ingress
          tc filter add dev ${d%:*} parent ffff: protocol all u32 match u32 0 0 \\
            action mirred egress redirect dev ${d#*:}
        done
        ask_from g 203.0.113.2
        """,
    probe="to_far")

healthy(
    "a tap without address whose macvlan has it, beside an empty virbr0",
    "tap0",
    setup="""
        bridge_up virbr0; ip addr add 192.168.122.1/24 dev virbr0
        ip tuntap add dev tap0 mode tap user nobody; ip link set tap0 up; guest g tap0 tap 10.0.0.2/24
        ip link add link tap0 name m0 type macvlan mode bridge; ip addr add 10.0.0.1/24 dev m0; ip link set m0 up
        ask_from g 10.0.0.1
        """,
    probe="to_host", requires="ip link add v0 type veth peer name v1; ip link add link v0 name m0 type macvlan")

LAN = """
    bridge_up; far; ip addr flush dev v0; ip link set v0 master br0
    port tap0; guest g tap0 tap 203.0.113.50/24
    """

broken(
    "the cable of the bridge's network card is out",
    "tap0",
    setup=LAN + "ip -n far link set eth0 down; ask_from g 203.0.113.2",
    want=r"\bv0\b.*carrier",
    probe="to_far",
    repair="ip -n far link set eth0 up")

broken(
    "the uplink joined the bridge late, and STP does not let it forward yet",
    "tap0",
    setup="""
        bridge_up br0 stp_state 1 forward_delay 200; far; ip addr flush dev v0
        port tap0; guest g tap0 tap 203.0.113.50/24
        wait_for 'bridge link show dev tap0 | grep -q forwarding' || wait_for 'bridge link show | grep -q forwarding'
        ip link set br0 type bridge forward_delay 3000; ip link set v0 master br0; ask_from g 203.0.113.2
        """,
    want=r"\bv0\b.*(STP|listening)",
    probe="to_far",
    repair="""
        ip link set br0 type bridge stp_state 0; ip link set v0 nomaster
        ip link set v0 master br0
        """)

broken(
    "the uplink is isolated as the port of the guest is, another port is not",
    "tap0",
    setup=LAN + """
        ip addr add 10.9.0.1/24 dev br0; port tap1; guest h tap1 tap 203.0.113.51/24
        for d in v0 tap0; do bridge link set dev $d isolated on; done
        ask_from g 203.0.113.2
        """,
    want=r"\bv0\b.*isolated",
    probe="to_far",
    repair="bridge link set dev v0 isolated off",
    fix=True)

broken(
    "the bridge sends no broadcast to the uplink: nobody there answers ARP",
    "tap0",
    setup=LAN + "bridge link set dev v0 bcast_flood off; ask_from g 203.0.113.2",
    want=r"broadcast.*\bv0\b",
    probe="to_far",
    repair="bridge link set dev v0 bcast_flood on",
    fix=True)

broken(
    "the uplink is locked, and no address behind it is authorized",
    "tap0",
    setup=LAN + """
        bridge link set dev v0 learning off locked on
        bridge fdb flush dev br0 brport v0 dynamic || true
        ask_from g 203.0.113.2
        """,
    want=r"\bv0\b.*locked",
    probe="to_far",
    repair="bridge link set dev v0 locked off",
    fix=True)

broken(
    "the uplink has a smaller MTU than the guest and the bridge",
    "tap0",
    setup=LAN + """
        ip link set br0 mtu 1499; ip link set br0 mtu 1500
        ip link set v0 mtu 1400; ip -n far link set eth0 mtu 1400; ask_from g -s 1450 203.0.113.2
        """,
    want=r"MTU.*\bv0\b",
    probe="ip netns exec g ping -c1 -W1 -s 1450 203.0.113.2",
    repair="ip link set v0 mtu 1500; ip -n far link set eth0 mtu 1500",
    reason="TOO_BIG|NOT_SPECIFIED|br_")

broken(
    "the uplink has a smaller MTU, and the bridge took it",
    "tap0",
    setup=LAN + "ip link set v0 mtu 1400; ip -n far link set eth0 mtu 1400; ask_from g -s 1450 203.0.113.2",
    want=r"MTU.*\bv0\b",
    probe="ip netns exec g ping -c1 -W1 -s 1450 203.0.113.2",
    repair="ip link set v0 mtu 1500; ip -n far link set eth0 mtu 1500",
    reason="TOO_BIG|NOT_SPECIFIED|br_")

broken(
    "the uplink is down, and the guest reaches this host alone",
    "tap0",
    setup=LAN + """
        ip addr add 203.0.113.1/24 dev br0; ask_from g 203.0.113.1
        ip link set v0 down; for _ in 1 2 3; do ask_from g 203.0.113.2; done
        """,
    want=r"\bv0\b.*down",
    probe="to_far",
    repair="ip link set v0 up",
    fix=True)

healthy(
    "the cable is out, and the guests use the host, which is elsewhere connected",
    "tap0",
    setup="""
        veth; ip link set v1 down; bridge_up; ip link set v0 master br0; ip addr add 10.0.0.1/24 dev br0
        port tap0; guest g tap0 tap 10.0.0.2/24; ask_from g 10.0.0.1
        """,
    probe="to_host")

healthy(
    "machines that are off, a spare network card that is down, and an uplink that works",
    "tap0",
    setup=LAN + """
        for i in 1 2 3; do port tap$i; done
        ip link add s0 type veth peer name s1; ip link set s0 master br0; ask_from g 203.0.113.2
        """,
    probe="to_far")

healthy(
    "isolated guests and an uplink that is not isolated",
    "tap0",
    setup=LAN + """
        port tap1; guest h tap1 tap 203.0.113.51/24
        for d in tap0 tap1; do bridge link set dev $d isolated on; done
        ask_from g 203.0.113.2
        """,
    probe="to_far")

broken(
    "a machine on a bridge whose other machines are off, and nothing else",
    "tap0",
    setup="""
        bridge_up; for i in 1 2; do port tap$i; done
        port tap0; guest g tap0 tap 10.0.0.2/24; ask_from g 10.0.0.1
        """,
    want=r"\bbr0\b.*no address.*(port|carrier)|\bnowhere\b",
    probe="to_host",
    repair="ip addr add 10.0.0.1/24 dev br0")

healthy(
    "a bridge of one machine whose macvlan has the address of the host",
    "tap0",
    setup="""
        bridge_up; ip link add link br0 name m0 type macvlan mode bridge; ip addr add 10.0.0.1/24 dev m0
        ip link set m0 up; port tap0; guest g tap0 tap 10.0.0.2/24; ask_from g 10.0.0.1; ask_from g 10.0.0.77
        """,
    probe="to_host", requires="ip link add v0 type veth peer name v1; ip link add link v0 name m0 type macvlan")

broken(
    "the default route leads to the bridge without the gateway of the network",
    "tap0",
    setup="""
        bridge_up; ip addr add 10.0.0.1/24 dev br0; port tap0; guest g tap0 tap 10.0.0.2/24
        ip netns exec g sysctl -qw net.ipv4.ip_forward=1
        ip netns add lan; ip link add w0 netns g type veth peer name eth0 netns lan
        ip -n g addr add 198.51.100.1/24 dev w0; ip -n g link set w0 up
        ip -n lan addr add 198.51.100.9/24 dev eth0; ip -n lan link set eth0 up
        ip -n lan route add default via 198.51.100.1
        ip route add default dev br0; ask 10.0.0.2; ask 198.51.100.9
        """,
    want=r"(default|0\.0\.0\.0).*(gateway|\bvia\b)",
    probe="ping -c1 -W1 198.51.100.9",
    repair="ip route replace default via 10.0.0.2",
    fix=True)

healthy(
    "a route without a gateway whose router answers ARP for its network, except for a host that is off",
    "tap0",
    setup="""
        tap; ip netns add lan; ip link add w0 netns g type veth peer name eth0 netns lan
        ip -n g addr add 10.20.0.1/16 dev w0; ip -n g link set w0 up
        ip netns exec g sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.eth0.proxy_arp=1
        ip -n lan addr add 10.20.0.2/16 dev eth0; ip -n lan link set eth0 up; ip -n lan route add default via 10.20.0.1
        ip route add 10.20.0.0/16 dev tap0; ip route add 10.30.0.0/16 dev tap0
        ip -n g addr add 10.30.0.1/16 dev lo
        ask 10.20.0.2; ask 10.30.0.1; ask 10.30.0.2; sleep 2.5
        """,
    probe="ping -c1 -W1 10.20.0.2")

CLONES = """
    bridge_up; ip addr add 10.0.0.1/24 dev br0; port tap0; port tap1
    guest g tap0 tap 10.0.0.2/24; guest h tap1 tap %s/24
    for n in g h; do ip netns exec $n ping -q -i0.1 -c400 10.0.0.1 >/dev/null & done
    sleep 0.5
    """

broken(
    "two guests have the same IP address, and both send",
    "tap1",
    setup=CLONES % "10.0.0.2",
    want=r"(two|both|same).*10\.0\.0\.2\b",
    probe="ip netns exec g ping -c1 -W1 10.0.0.1 && ip netns exec h ping -c1 -W1 10.0.0.1",
    repair="ip -n h addr flush dev eth0; ip -n h addr add 10.0.0.3/24 dev eth0; ip neigh flush dev br0")

healthy(
    "two guests with addresses of their own, and both send",
    "tap1",
    setup=CLONES % "10.0.0.3" + "ask_from h 10.0.0.2",
    probe="to_host && g_to_h")

broken(
    "the tap is a port of the wrong bridge",
    "tap0",
    setup="""
        bridge_up; ip addr add 10.0.0.1/24 dev br0; port tap1; guest h tap1 tap 10.0.0.3/24
        bridge_up br1; ip addr add 10.1.0.1/24 dev br1; port tap9 br1; guest i tap9 tap 10.1.0.2/24
        port tap0 br1; guest g tap0 tap 10.0.0.2/24; ask_from g 10.0.0.1
        """,
    want=r"\bbr0\b",
    # br1 has answered for 10.0.0.1, too
    probe="ip -n g neigh flush dev eth0; to_host",
    repair="ip link set tap0 master br0",
    fix=True)

broken(
    "the guest has another prefix length than the tap: the host has no route to it",
    "tap0",
    setup="make_tap; guest g tap0 tap 10.0.5.2/16; ask_from g 10.0.0.1",
    want=r"10\.0\.5\.2",
    probe="to_host",
    repair="ip addr add 10.0.0.1/16 dev tap0",
    fix=True)

broken(
    "the address of the bridge covers this host alone",
    "tap0",
    setup="""
        bridge_up; ip addr add 10.0.0.1/32 dev br0; port tap0; guest g tap0 tap 10.0.0.2/24
        ask_from g 10.0.0.1
        """,
    want=r"10\.0\.0\.1/32",
    probe="to_host",
    repair="ip addr add 10.0.0.1/24 dev br0",
    fix=True)

healthy(
    "a guest with an address in no network of the bridge, which has a route to it",
    "tap0",
    setup="""
        bridge_up; ip addr add 10.0.0.1/24 dev br0; port tap0; guest g tap0 tap 10.0.5.2/16
        ip route add 10.0.5.2 dev br0; ask_from g 10.0.0.1
        """,
    probe="to_host")

healthy(
    "a router behind the tap: the networks behind it have a route",
    "tap0",
    setup="""
        tap; ip -n g addr add 10.20.0.1/16 dev lo; ip route add 10.20.0.0/16 via 10.0.0.2
        ask_from g -I 10.20.0.1 10.0.0.1
        """,
    probe="to_host && ping -c1 -W1 10.20.0.1")

broken(
    "the bridge sends no broadcast to the other guest: nobody answers",
    "tap0",
    setup="two_taps; bridge link set dev tap1 bcast_flood off; ask_from g 10.0.0.3",
    want=r"broadcast.*\btap1\b",
    probe="g_to_h",
    repair="bridge link set dev tap1 bcast_flood on",
    fix=True)

broken(
    "the program relays frames without the virtio header that it asked for",
    "tap0",
    setup="make_tap; RELAY_FLAGS=0x5002 guest g tap0 tap 10.0.0.2/24; attached tap0; ask 10.0.0.2; ask_from g 10.0.0.1",
    want="header",
    probe="to_host")

broken(
    "the bridge sends no multicast to the other guest: IPv6 finds no neighbour",
    "tap1",
    setup="""
        IPV6=yes; two_taps br0 mcast_snooping 0; bridge link set dev tap0 mcast_flood off
        ip -n g addr add fd00::2/64 dev eth0 nodad; ip -n h addr add fd00::3/64 dev eth0 nodad
        ask_from h fd00::2
        """,
    want=r"multicast.*\btap0\b",
    probe="ip netns exec h ping -c1 -W1 fd00::2",
    repair="bridge link set dev tap0 mcast_flood on",
    fix=True)
