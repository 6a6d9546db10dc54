"""What programs write to a device, and read from it; traffic control on it."""

from table import broken

broken(
    "the program asked for virtio headers and writes none",
    "tun0",
    setup="make_tun; S talk tun0 0x5001 icmp:10.0.0.2:10.0.0.1 & attached tun0; sleep 1",
    want="vnet|virtio",
    probe="replied")

broken(
    "the program writes Ethernet frames to a tun",
    "tun0",
    setup="make_tun; S talk tun0 0x1001 frame:icmp:10.0.0.2:10.0.0.1 & attached tun0; sleep 1",
    want=r"Ethernet|frames|\btap\b",
    probe="replied")

broken(
    "the program writes IP packets to a tap",
    "tap0",
    setup="make_tap; S talk tap0 0x1002 icmp:10.0.0.2:10.0.0.1 & attached tap0; sleep 1",
    want=r"IP packets?|Ethernet|not (a )?frames?|\btun\b",
    probe="replied",
    traffic="sleep 0.5", reason="OTHERHOST|UNHANDLED|PTYPE")

broken(
    "the UDP checksum of what the program writes is wrong",
    "tun0",
    setup="""
        make_tun; S server 10.0.0.1 53 &
        S talk tun0 0x1001 badudp:10.0.0.2:10.0.0.1:53 &
        attached tun0; sleep 1
        """,
    want="checksum",
    probe="more_udp sleep 0.3",
    traffic="sleep 0.5", reason="CSUM")

broken(
    "the packets of the program arrive with TTL 1 and are to be forwarded",
    "tun0",
    setup="""
        forward; make_tun; far return
        S talk tun0 0x1001 ttl1:10.0.0.2:203.0.113.2 &
        attached tun0; sleep 1
        """,
    want="TTL|hop limit",
    probe="more_echos sleep 0.5",
    traffic="sleep 0.5", reason="IP_INHDR|TTL")

broken(
    "the program calculates for ever and does not read",
    "tun0",
    setup="""
        make_tun; S spin tun0 0x1001 &
        attached tun0; ping -q -c1500 -i0.001 -W1 10.0.0.2 || true
        """,
    want="does not read|not reading|reads nothing|queue is full|stuck|hang",
    traffic="ask 10.0.0.2", reason="FULL_RING|QDISC|DEV")

broken(
    "the program made a device of its own beside the prepared one",
    "tun0 --user nobody",
    setup="""
        chmod 666 /run/tun; make_tun
        S hold tun%d 0x1001 &
        wait_for 'ip link show tun1'
        """,
    want="tun1",
    probe="ip link show tun0 | grep -q LOWER_UP")

broken(
    "the tunnel's own packets are routed into the tunnel",
    "tun0",
    setup="""
        make_tun; far; ip route add default via 203.0.113.2
        ip route add 0.0.0.0/1 dev tun0; ip route add 128.0.0.0/1 dev tun0
        S tunnel tun0 198.51.100.5 &
        attached tun0; ask 192.0.2.1
        """,
    want=r"loop|own packets|own (traffic|connection|socket)|198\.51\.100\.5|into (itself|the tunnel)")

broken(
    "a CNI left a BPF program of traffic control that drops what arrives",
    "tun0",
    setup="""
        tun
        tc qdisc add dev tun0 clsact; S tcprog tun0 ingress 2
        ask_from g 10.0.0.1
        """,
    want=r"\btc\b|traffic control|clsact|ingress|cil_from_netdev",
    probe="to_host",
    repair="tc qdisc del dev tun0 clsact",
    fix=True, reason="TC_INGRESS")

broken(
    "a filter of traffic control redirects to another device what leaves",
    "tun0",
    setup="""
        tun; veth
        tc qdisc add dev tun0 clsact
        tc filter add dev tun0 egress protocol ip u32 match u32 0 0 action mirred egress redirect dev v0
        ask 10.0.0.2
        """,
    want=r"\btc\b|traffic control|redirect|clsact|egress",
    probe="to_guest",
    repair="tc qdisc del dev tun0 clsact",
    fix=True)

broken(
    "the queue of an HTB class holds no packet",
    "tun0",
    setup="""
        tun
        tc qdisc add dev tun0 root handle 1: htb default 10
        tc class add dev tun0 parent 1: classid 1:10 htb rate 10mbit
        tc qdisc add dev tun0 parent 1:10 handle 20: bfifo limit 40
        ask 10.0.0.2
        """,
    want="qdisc|htb|bfifo|traffic control|limit",
    probe="to_guest",
    repair="tc qdisc del dev tun0 root",
    reason="QDISC")

broken(
    "an XDP program on one port of a bridge drops the frames of its guest",
    "tap0",
    setup="two_taps; S xdpdrop tap0; ask_from g 10.0.0.3",
    want="XDP",
    probe="g_to_h",
    repair="ip link set dev tap0 xdpgeneric off",
    fix=True, reason="XDP|NOT_SPECIFIED")

broken(
    "an MTU below 1280 switched IPv6 off on the device",
    "tun0 --to fd00::2",
    setup="tun6; ip link set tun0 mtu 1200",
    want="MTU|1280",
    probe="to_guest6",
    repair="ip link set tun0 mtu 1500; ip addr add fd00::1/64 dev tun0 nodad")
