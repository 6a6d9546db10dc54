"""Ports of bridges: VLANs, isolation, locks, and the forwarding database."""

from table import broken

broken(
    "the two ports are in different VLANs",
    "tap0",
    setup="""
        two_taps br0 vlan_filtering 1
        bridge vlan del vid 1 dev tap1
        bridge vlan add vid 20 dev tap1 pvid untagged
        ask_from g 10.0.0.3
        """,
    want="VLAN",
    probe="g_to_h",
    requires="ip link add x0 type bridge vlan_filtering 1",
    repair="bridge vlan add vid 1 dev tap1 pvid untagged; bridge vlan del vid 20 dev tap1")

broken(
    "the bridge filters VLANs without a default: the port has no PVID",
    "tap0",
    setup="""
        bridge_up br0 vlan_filtering 1 vlan_default_pvid 0
        ip addr add 10.0.0.1/24 dev br0; bridge vlan add vid 1 dev br0 self pvid untagged
        port tap0; guest g tap0 tap 10.0.0.2/24
        ask_from g 10.0.0.1
        """,
    want="VLAN|PVID",
    probe="to_host",
    requires="ip link add x0 type bridge vlan_filtering 1",
    repair="bridge vlan add vid 1 dev tap0 pvid untagged",
    fix=True, reason="VLAN|BRIDGE|NOT_SPECIFIED|br_")

broken(
    "both ports are isolated",
    "tap0",
    setup="""
        two_taps
        bridge link set dev tap0 isolated on; bridge link set dev tap1 isolated on
        ask_from g 10.0.0.3
        """,
    want="isolated",
    probe="g_to_h",
    repair="bridge link set dev tap0 isolated off",
    fix=True, source="OpenNebula/one#7381")

broken(
    "the port is locked, and the address of the guest is not authorized",
    "tap0",
    setup="""
        two_taps
        bridge link set dev tap0 learning off locked on
        bridge fdb flush dev br0 brport tap0 dynamic || true
        ask_from g 10.0.0.3
        """,
    want="locked",
    probe="g_to_h",
    repair="bridge link set dev tap0 locked off; bridge link set dev tap0 learning on",
    fix=True, reason="BRIDGE|LOCKED|NOT_SPECIFIED|br_")

broken(
    "a static forwarding entry leads to the other port (a migrated guest)",
    "tap0",
    setup="""
        two_taps; port tap2; guest i tap2 tap 10.0.0.4/24
        bridge fdb replace $(guest_mac g) dev tap2 master static sticky
        ask_from h 10.0.0.2
        """,
    want="fdb|static|forwarding (entry|database)|MAC",
    probe="ip netns exec h ping -c1 -W1 10.0.0.2",
    repair="bridge fdb del $(guest_mac g) dev tap2 master static",
    fix=True)

broken(
    "the port neither learns nor floods: unicast never reaches the guest",
    "tap1",
    setup="""
        two_taps
        bridge link set dev tap1 learning off flood off
        bridge fdb flush dev br0 brport tap1 dynamic || bridge fdb del $(guest_mac h) dev tap1 master
        ip -n g neigh replace 10.0.0.3 lladdr $(guest_mac h) dev eth0
        ask_from g 10.0.0.3
        """,
    want="flood|learning",
    probe="g_to_h",
    repair="bridge link set dev tap1 flood on",
    fix=True)

broken(
    "the port floods no multicast: IPv6 finds no neighbour",
    "tap1",
    setup="""
        IPV6=yes; two_taps br0 mcast_snooping 0
        ip -n g addr add fd00::2/64 dev eth0 nodad; ip -n h addr add fd00::3/64 dev eth0 nodad
        bridge link set dev tap1 mcast_flood off
        ask_from g fd00::3
        """,
    want="multicast|mcast",
    probe="g_to_h6",
    repair="bridge link set dev tap1 mcast_flood on",
    fix=True)

broken(
    "the other port has a smaller MTU: the bridge drops large frames and sends no ICMP",
    "tap1",
    setup="""
        two_taps
        ip link set tap1 mtu 1400
        ask_from g -s 1450 -M do 10.0.0.3
        """,
    want="MTU",
    probe="ip netns exec g ping -c1 -W1 -s 1450 -M do 10.0.0.3",
    repair="ip link set tap1 mtu 1500",
    fix=True, reason="TOO_BIG|NOT_SPECIFIED|br_")

broken(
    "the MAC address of the tap is that of its guest",
    "tap0",
    setup="""
        two_taps
        ip link set tap0 address $(guest_mac g)
        ask_from h 10.0.0.2
        """,
    want="MAC|(hardware|Ethernet) address|lladdr",
    probe="ip netns exec h ping -c1 -W1 10.0.0.2",
    repair="ip link set tap0 address fe:54:00:11:22:33")

broken(
    "the guest sends to the previous MAC address of the tap",
    "tap0",
    setup="""
        tap
        ip -n g neigh replace 10.0.0.1 lladdr 02:00:00:aa:bb:cc dev eth0 nud permanent
        ask_from g 10.0.0.1
        """,
    want="MAC|other host|otherhost|(Ethernet|hardware) address",
    probe="to_host",
    repair="ip -n g neigh del 10.0.0.1 dev eth0",
    reason="OTHERHOST")

broken(
    "the host does not answer ARP for its address on another device (arp_ignore, a recipe for load balancers)",
    "tap0 --from 10.0.0.2 --to 10.0.0.1",
    setup="""
        make_tap tap0 10.0.0.250/24; ip addr add 10.0.0.1/32 dev lo
        sysctl -qw net.ipv4.conf.all.arp_ignore=1
        guest g tap0 tap 10.0.0.2/24
        ask_from g 10.0.0.1
        """,
    want="arp_ignore",
    probe="to_host",
    repair="sysctl -w net.ipv4.conf.all.arp_ignore=0",
    fix=True)

broken(
    "forwarding is on, and so the router of the guest is ignored (accept_ra)",
    "tap0",
    setup="""
        IPV6=yes; sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.forwarding=1
        tap
        S advertise g eth0 fd77:: &
        wait_for "grep -q 'Icmp6InRouterAdvertisements.*[1-9]' /proc/net/dev_snmp6/tap0"
        """,
    want="accept_ra",
    probe="sleep 0.7; ip -6 addr show dev tap0 | grep -q fd77:",
    repair="sysctl -w net.ipv6.conf.tap0.accept_ra=2",
    fix=True, source="moby/moby#43466")
