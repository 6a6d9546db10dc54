"""Causes that show only in packets that pass or are dropped while doctor looks, each with a host that works."""

from table import broken, healthy

TWINS = """
    IPV6=yes; two_taps; ip -n g addr add fd00::2/64 dev eth0 nodad
    ip addr add 10.0.0.1/24 dev br0
"""

broken(
    "a host behind another port has the bridge's IPv6 address, and IPv4 works",
    "tap0",
    setup=TWINS + """
        ip -n h addr add fd00::1/64 dev eth0 nodad; sleep 0.5; ip addr add fd00::1/64 dev br0
        wait_for "ip -6 addr show dev br0 | grep -q dadfailed"
        again ip netns exec g ping -c1 -W1 10.0.0.1
        """,
    want="duplicate",
    level="error",
    probe="ping -c1 -W1 -I fd00::1 fd00::2",
    repair="""
        ip -n h addr del fd00::1/64 dev eth0; ip addr del fd00::1/64 dev br0; ip addr add fd00::1/64 dev br0 nodad
        ip -n g neigh flush dev eth0; sleep 0.5
        """)

healthy(
    "two hosts and the bridge have IPv6 addresses of one network",
    "tap0",
    setup=TWINS + """
        ip -n h addr add fd00::3/64 dev eth0 nodad; sleep 0.5; ip addr add fd00::1/64 dev br0
        wait_for "! ip -6 addr show dev br0 | grep -q tentative"
        again ip netns exec g ping -c1 -W1 fd00::1
        """,
    probe="ping -c1 -W1 -I fd00::1 fd00::2")

WEB = """
    forward; tun; far return
    "$PY" - <<'P' >/run/web.py
print("import socket; s = socket.create_server(('203.0.113.2', 80))")
print("while True: s.accept()[0].sendall(b'hello')")
P
    ip netns exec far "$PY" /run/web.py &
"""

broken(
    "a policy rule of a proxy that was removed delivers web connections of the guest to this host",
    "tun0",
    setup=WEB + """
        ip rule add iif tun0 ipproto tcp dport 80 lookup 200; ip route add local default dev lo table 200
        sleep 0.3; to_far; again ip netns exec g "$PY" "$HELPER" knock 203.0.113.2 80
        """,
    want=r"local default of table 200, because of a policy rule",
    level="error",
    probe='ip netns exec g "$PY" "$HELPER" knock 203.0.113.2 80',
    repair="ip rule del iif tun0 ipproto tcp dport 80 lookup 200",
    fix=True)

healthy(
    "a transparent proxy takes the web connections of the guest (TPROXY)",
    "tun0",
    setup=WEB + """
        S transparent 7893 &
        ip rule add fwmark 1 lookup 100; ip route add local default dev lo table 100
        chain ip mangle pre prerouting mangle
        rule ip mangle pre tcp dport 80 meta mark set 1 tproxy to 127.0.0.1:7893
        sleep 0.3; again ip netns exec g "$PY" "$HELPER" knock 203.0.113.2 80
        """,
    probe='ip netns exec g "$PY" "$HELPER" knock 203.0.113.2 80')

PORT6 = """
    IPV6=yes; bridge_up; ip addr add 10.0.0.1/24 dev br0; ip addr add fd00::1/64 dev br0 nodad
    port tap0; guest g tap0 tap 10.0.0.2/24 10.0.0.1; ip -n g addr add fd00::2/64 dev eth0 nodad
    chain inet filter input input 0 drop
    rule inet filter input ct state established,related accept
    rule inet filter input iif lo accept
    rule inet filter input meta l4proto icmp accept
    rule inet filter input tcp dport 22 accept
    rule inet filter input icmpv6 type echo-request accept
"""

broken(
    "the input chain accepts pings of both families, but not neighbour discovery",
    "tap0",
    setup=PORT6 + "to_host; again to_host; again to_host6",
    want="neighbour discovery",
    level="error",
    probe="to_host6",
    repair="nft insert rule inet filter input icmpv6 type nd-neighbor-solicit accept",
    fix=True)

healthy(
    "the input chain accepts pings and neighbour discovery, and nothing else",
    "tap0",
    setup=PORT6 + """
        rule inet filter input icmpv6 type '{ nd-neighbor-solicit, nd-neighbor-advert }' accept
        to_host; again to_host; again to_host6
        """,
    probe="to_host6")

LANS = """
    forward; bridge_up; ip addr add 10.0.0.1/24 dev br0; port tap0; guest g tap0 tap 10.0.0.2/24 10.0.0.1
    bridge_up br1; ip addr add 10.0.1.1/24 dev br1; port tap1 br1; guest h tap1 tap 10.0.1.2/24 10.0.1.1
    far return; ip -n far route add 10.0.1.0/24 via 203.0.113.1
    chain inet filter forward forward 0 drop
    rule inet filter forward ct state established,related accept
    rule inet filter forward oifname v0 accept
    to_host; to_far
"""

broken(
    "a host of another bridge does not reach the one of this bridge: only the way out is open",
    "tap0",
    setup=LANS + "again to_far; again ip netns exec h ping -c1 -W1 10.0.0.2",
    want=r"inet filter forward",
    probe="ip netns exec h ping -c1 -W1 10.0.0.2",
    repair="nft add rule inet filter forward iifname br1 oifname br0 accept",
    fix=True, reason="NETFILTER", traffic="ip netns exec h ping -c1 -W1 10.0.0.2")

healthy(
    "only the way out is open, and nobody tries another way",
    "tap0",
    setup=LANS + "again to_far; again ip netns exec h ping -c1 -W1 203.0.113.2",
    probe="to_far && ip netns exec h ping -c1 -W1 203.0.113.2")

# carrier NS ARGUMENT...: a program of the namespace, attached to its tun0 with the address 10.0.0.2
CARRIER = """
    carrier() {
      ip netns exec far "$PY" "$HELPER" carry tun0 1194 "$@" &
      wait_for "ip -n far link show tun0"
      ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up
    }
"""
SERVICE = CARRIER + """
    far; ip addr add 198.51.100.1/32 dev lo; ip -n far route add 198.51.100.1 via 203.0.113.1
    make_tun; S carry tun0 1194 & attached tun0
"""

broken(
    "a VPN server is asked at the service address on lo, and answers from the address of the network card",
    "tun0",
    setup=SERVICE + """
        carrier 198.51.100.1; again ip netns exec far ping -c1 -W1 10.0.0.1; again to_guest
        """,
    want=r"answers from \S*203\.0\.113\.1 what other hosts send to \S*198\.51\.100\.1",
    level="error",
    probe="ip netns exec far ping -c1 -W1 10.0.0.1",
    repair="ip route replace 203.0.113.0/24 dev v0 src 198.51.100.1",
    fix=False)

healthy(
    "a VPN server with a service address on lo is asked at the address of the network card",
    "tun0",
    setup=SERVICE + """
        carrier 203.0.113.1; again ip netns exec far ping -c1 -W1 10.0.0.1; again to_guest
        """,
    probe="ip netns exec far ping -c1 -W1 10.0.0.1")

LONG = CARRIER + """
    IPV6=yes; far; carrier "" "$WHOLE"; ip -n far link set tun0 mtu 1400; make_tun; ip link set tun0 mtu 1460
    S carry tun0 1194 2001:db8::2 "$WHOLE" & attached tun0
    wait_for to_guest; again to_guest; again ping -c1 -W1 -s 1432 10.0.0.2
"""

broken(
    "the MTU of the tunnel leaves no room for IPv6 and UDP, and the VPN daemon sends no fragments",
    "tun0",
    setup="WHOLE=yes" + LONG,
    want="MTU 1460 is too large for the tunnel",
    level="error",
    probe="ping -c1 -W1 -s 1432 10.0.0.2",
    repair="ip link set tun0 mtu 1400",
    fix=True)

healthy(
    "the MTU of the tunnel leaves no room for IPv6 and UDP, and the VPN daemon lets the kernel send fragments",
    "tun0",
    setup="WHOLE=" + LONG,
    probe="ping -c1 -W1 -s 1432 10.0.0.2")

BOGONS = """
    far; ip -n far addr add 198.51.100.9/32 dev lo; ip route add 198.51.100.9 via 203.0.113.2
    ip netns exec far "$PY" "$HELPER" vpn tun0 1194 &
    wait_for "ip -n far link show tun0"; ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up
    make_tun; S vpn tun0 1194 198.51.100.9 & attached tun0
    chain inet filter pre prerouting -300
"""

broken(
    "a list of networks that do not exist contains the VPN server: its packets are dropped on arrival",
    "tun0",
    setup=BOGONS + """
        rule inet filter pre ip saddr '{ 192.0.2.0/24, 203.0.113.0/24, 198.51.100.0/24 }' drop
        again to_guest
        """,
    want=r"inet filter pre\b",
    level="error",
    probe="to_guest",
    repair="nft flush chain inet filter pre")

healthy(
    "a list of networks that do not exist does not contain the VPN server",
    "tun0",
    setup=BOGONS + """
        rule inet filter pre ip saddr '{ 192.0.2.0/24, 233.252.0.0/24 }' drop
        again to_guest
        """,
    probe="to_guest")
