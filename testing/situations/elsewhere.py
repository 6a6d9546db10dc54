"""Packets that go another way than meant: policy rules, connections older than a rule, port forwardings."""

from table import broken, healthy

# A VPN has the default route, and 198.51.100.7 is a host of the Internet, outside of the tunnel.
FULL = """
    tun; far return; ip -n far addr add 198.51.100.7/32 dev lo; ip route add default via 203.0.113.2
    ip route add 0.0.0.0/1 dev tun0; ip route add 128.0.0.0/1 dev tun0
    sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.v0.rp_filter=0
"""

broken(
    "a VPN takes all traffic: this host answers the pings of a monitoring host outside into the tunnel",
    "tun0",
    setup=FULL + "again ip netns exec far ping -c1 -W1 -I 198.51.100.7 203.0.113.1; again to_guest",
    want=r"answers from 203\.0\.113\.1, an address of v0, to 198\.51\.100\.7 leave through it",
    level="warning",
    probe="ip netns exec far ping -c1 -W1 -I 198.51.100.7 203.0.113.1",
    repair="ip rule add from 203.0.113.1 lookup 100; ip route add default via 203.0.113.2 table 100",
    fix=True)

healthy(
    "a VPN takes all traffic, and a host behind it asks for the address of the network card",
    "tun0",
    setup=FULL + """
        ip -n far addr del 198.51.100.7/32 dev lo; ip -n g addr add 198.51.100.7/32 dev lo; S listen_only 22 &
        again ip netns exec g ping -c1 -W1 -I 198.51.100.7 203.0.113.1; again to_guest
        sleep 0.3; again ip netns exec g "$PY" "$HELPER" knock 203.0.113.1 22 198.51.100.7
        """,
    probe="ip netns exec g ping -c1 -W1 -I 198.51.100.7 203.0.113.1 && to_guest")

# A rule leads what the hosts of v0 send into a tunnel, behind which 198.51.100.9 is.
LED = """
    forward; tun; far return; ip -n far route add default via 203.0.113.1
    ip -n g addr add 198.51.100.9/32 dev lo
    ip rule add from 203.0.113.0/24 lookup 100; ip rule add from 203.0.113.0/24 lookup main suppress_prefixlength 0
    ip route add default dev tun0 table 100
"""
TO_EXIT = "ip netns exec far ping -c1 -W1 198.51.100.9"

broken(
    "a tunnel went down for a moment: the table of the policy rule for the network lost its default route",
    "tun0",
    setup=LED + "ip link set tun0 down; ip link set tun0 up; attached tun0; again " + TO_EXIT,
    want="policy rule looks up table 100, which has no route",
    level="warning",
    probe=TO_EXIT,
    repair="ip route add default dev tun0 table 100",
    needfix="ip route add default dev tun0 table 100")

healthy(
    "a policy rule leads what a network sends into the tunnel, and its table has the default route",
    "tun0",
    setup=LED + "again " + TO_EXIT,
    probe=TO_EXIT)

healthy(
    "the second provider is out: the table of the rule for its address is empty, and the tunnel is for one network",
    "tun0",
    setup="""
        tun; far return; ip route add default via 203.0.113.2
        ip link add w0 type veth peer name w1; ip link set w0 up; ip link set w1 up; ip addr add 192.0.2.9/24 dev w1
        ip rule add from 192.0.2.9 lookup 200; ip route add default via 192.0.2.1 table 200; ip link set w1 down
        again to_guest; again ping -c1 -W1 203.0.113.2
        """,
    probe="to_guest && ping -c1 -W1 203.0.113.2")

# What the guest sends has a table of its own.
BY_ENTRY = """
    forward; tap; far return; ip -n far addr add 198.51.100.9/32 dev lo
    ip rule add iif tap0 lookup 200; ip route add default via 203.0.113.2 table 200
"""
TO_198 = "ip netns exec g ping -c1 -W1 198.51.100.9"

broken(
    "the network card went down for a moment: the table for what the guest sends lost its default route",
    "tap0",
    setup=BY_ENTRY + "ip link set v0 down; ip link set v0 up; wait_for 'ip link show v0 | grep -q LOWER_UP'; again "
    + TO_198,
    want="policy rule looks up table 200, which has no route.*tap0",
    level="warning",
    probe=TO_198,
    repair="ip route add default via 203.0.113.2 table 200")

healthy(
    "the table for what the guest sends has its default route",
    "tap0",
    setup=BY_ENTRY + "again " + TO_198,
    probe=TO_198)

# A program of the network outside asks UDP port 7000 of this host from one port; 10.0.0.2 has the service.
SERVICE = """
    forward; tap; far return; ip netns exec g "$PY" "$HELPER" echo 10.0.0.2 7000 &
    TYPE=nat chain ip nat pre prerouting -100; chain ip filter INPUT input 0
    rule ip filter INPUT ct state related,established counter accept
    ask_port() { ip netns exec far "$PY" "$HELPER" beat 203.0.113.1 7000 & }
    lead() { nft add rule ip nat pre iifname v0 udp dport 7000 counter dnat to 10.0.0.2; }
"""

broken(
    "a program outside asked this host before the port forwarding was there, and asks on",
    "tap0",
    setup=SERVICE + """
        S server 203.0.113.1 7000 & ask_port; wait_for "test -e /run/udp"; lead; sleep 1
        """,
    want=r"203\.0\.113\.1:7000 \S+ is older than the rule that leads it to 10\.0\.0\.2",
    level="warning",
    probe="replied",
    repair="S forget", requires="nft 'add table t; add chain t c { type nat hook prerouting priority 0; }'")

healthy(
    "a program outside asks through the port forwarding",
    "tap0",
    setup=SERVICE + "lead; ask_port; sleep 1",
    probe="replied")

healthy(
    "a program outside got answers of this host before the port forwarding was there, and still gets them",
    "tap0",
    setup=SERVICE + """
        S echo 203.0.113.1 7000 & ask_port; wait_for replied; lead; sleep 0.5
        """,
    probe="replied")

# The guest asks a web server outside, and is a web server itself.
FORWARDED = """
    forward; tap; far return; TYPE=nat chain ip nat pre prerouting -100
    ip netns exec far "$PY" "$HELPER" listen_only 80 & ip netns exec g "$PY" "$HELPER" listen_only 80 &
    sleep 0.3
"""
WEB = 'ip netns exec g "$PY" "$HELPER" knock 203.0.113.2 80'

broken(
    "a port forwarding that names no device takes the web connections of the guest itself",
    "tap0",
    setup=FORWARDED + "rule ip nat pre tcp dport 80 counter dnat to 10.0.0.2; to_far; again to_far; again " + WEB,
    want=r"firewall leads packets of the program to 203\.0\.113\.2, another host, to 10\.0\.0\.2",
    level="error",
    probe=WEB,
    repair="nft flush chain ip nat pre; nft add rule ip nat pre iifname v0 tcp dport 80 counter dnat to 10.0.0.2")

healthy(
    "a port forwarding for the network card leaves the web connections of the guest alone",
    "tap0",
    setup=FORWARDED + "rule ip nat pre iifname v0 tcp dport 80 counter dnat to 10.0.0.2; again to_far; again " + WEB,
    probe=WEB)

healthy(
    "a filter of names among the guests gets all their questions, and answers through this host",
    "tap0",
    setup="""
        forward; two_taps; ip addr add 10.0.0.1/24 dev br0
        for n in g h; do ip -n $n route add default via 10.0.0.1; done
        far return; TYPE=nat chain ip nat pre prerouting -100; TYPE=nat chain ip nat post postrouting 100
        ip netns exec h "$PY" "$HELPER" echo 10.0.0.3 53 &
        rule ip nat pre iifname br0 ip saddr != 10.0.0.3 udp dport 53 dnat to 10.0.0.3
        rule ip nat post ip saddr 10.0.0.0/24 ip daddr 10.0.0.3 udp dport 53 masquerade
        sleep 0.3; ip netns exec g "$PY" "$HELPER" beat 203.0.113.2 53 & again to_far
        """,
    probe="replied && to_far")
