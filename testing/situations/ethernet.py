"""MAC addresses, ARP and IPv6."""

from table import broken

broken(
    "the program on a tap does not answer ARP",
    "tap0",
    setup="make_tap; S sink tap0 0x1002 & attached tap0; ping -q -c4 -i0.5 -W1 10.0.0.2 || true",
    want=r"\bARP\b|neighbou?r",
    probe="ip neigh show dev tap0 10.0.0.2 | grep -q REACHABLE",
    traffic="ask 10.0.0.2; sleep 2", reason="NEIGH")

broken(
    "ARP is off on the tap (NOARP)",
    "tap0",
    setup="tap; ip link set tap0 arp off; ask 10.0.0.2",
    want=r"\bARP\b",
    probe="to_guest",
    repair="ip link set tap0 arp on; ip neigh flush dev tap0",
    fix=True)

broken(
    "a permanent neighbour entry has the wrong MAC",
    "tap0",
    setup="tap; ip neigh replace 10.0.0.2 lladdr 02:de:ad:be:ef:01 dev tap0 nud permanent",
    want=r"neighbou?r|\bARP\b|permanent|static",
    probe="to_guest",
    repair="ip neigh del 10.0.0.2 dev tap0",
    fix=True)

broken(
    "another host on the tap has this host's IPv6 address (DAD failed)",
    "tap0",
    setup="""
        IPV6=yes; make_tap; guest g tap0 tap 10.0.0.2/24
        ip -n g addr add fd00::1/64 dev eth0 nodad
        ip addr add fd00::1/64 dev tap0
        wait_for 'ip addr show tap0 | grep -q dadfailed'
        """,
    want="duplicate|somebody else|dadfailed",
    level="error",
    probe="ping -c1 -W1 -I fd00::1 fd00::2")

broken(
    "IPv6 is off in the whole namespace (docker's default)",
    "tun0",
    setup="""
        sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
        tun
        """,
    want="IPv6 is (switched )?off|disable_ipv6",
    level="warning",
    probe="ip -6 addr replace fd00::1/64 dev tun0",
    repair="sysctl -w net.ipv6.conf.tun0.disable_ipv6=0",
    fix=True)

broken(
    "the MTU is too small for IPv6, and the guest asks with it",
    "tun0",
    setup="""
        IPV6=yes; tun; ip link set tun0 mtu 1200; ip -n g addr add fd00::2/64 dev eth0 nodad
        again ip netns exec g ping -c1 -W1 fd00::1; ping -c1 -W1 10.0.0.2
        """,
    want="MTU.*1280",
    level="warning",
    probe="ip netns exec g ping -c1 -W1 fd00::1",
    repair="ip link set tun0 mtu 1280; ip addr add fd00::1/64 dev tun0 nodad; sleep 0.3")

broken(
    "the guest wakes machines of another network, whose broadcasts are not forwarded",
    "tun0",
    setup="""
        forward; tap; make_tun tun0 10.9.0.1/24
        guest c tun0 tun 10.9.0.2/24 10.9.0.1; ip netns exec g "$PY" "$HELPER" server 0.0.0.0 9 &
        again ip netns exec c "$PY" "$HELPER" send 10.0.0.255 9
        """,
    want="broadcast.*tap0",
    level="warning",
    probe="more_udp ip netns exec c \"$PY\" \"$HELPER\" send 10.0.0.255 9",
    repair="sysctl -qw net.ipv4.conf.all.bc_forwarding=1 net.ipv4.conf.tun0.bc_forwarding=1",
    fix=True)
