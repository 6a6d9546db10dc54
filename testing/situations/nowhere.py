"""Hosts, gateways and ways out that are not there, and IPv6 that is off."""

from table import broken, healthy

LAST = "forward; tap; far return; "
NO_GATEWAY = LAST + "ip -n g route replace default via 10.0.0.254; again ask_from g 203.0.113.2"

broken(
    "the guest has a gateway that nobody has",
    "tap0",
    setup=NO_GATEWAY,
    want=r"10\.0\.0\.2, behind it, asks for the MAC address of 10\.0\.0\.254, and nobody answers.*10\.0\.0\.1\b",
    level="warning",
    probe="to_far",
    repair="ip -n g route replace default via 10.0.0.1")

healthy(
    "the guest reaches other networks, and asks for the printer with the last address of its network, which is off",
    "tap0",
    setup=LAST + "again to_far; again ask_from g 10.0.0.254",
    probe="to_far")

healthy(
    "the guest asks for two hosts of its network that are off",
    "tap0",
    setup="tap; again to_host; again ask_from g 10.0.0.77; again ask_from g 10.0.0.78",
    probe="to_host")

# A bridge without an address, whose veth leads to the bridge of the network: bring COMMAND joins its other end.
LEAD = """
    bridge_up; port tap0; ip link add v0 type veth peer name v1; ip link set v0 master br0 up; ip link set v1 up
    bridge_up br1; guest g tap0 tap 10.0.0.2/24
"""

broken(
    "the bridge leads out through a veth, and nobody added its other end to the bridge of the network",
    "tap0",
    setup=LEAD + "ip addr add 10.0.0.1/24 dev br1; port tap1 br1; guest h tap1 tap 10.0.0.3/24; ask_from g 10.0.0.1",
    want=r"v0, the port of its bridge br0 to other hosts, leads nowhere: its other end v1",
    level="warning",
    probe="to_host",
    repair="ip link set v1 master br1")

healthy(
    "the bridge leads out through a veth, whose other end is a port of the bridge of the network",
    "tap0",
    setup=LEAD + "ip addr add 10.0.0.1/24 dev br1; ip link set v1 master br1; ask_from g 10.0.0.1",
    probe="to_host")

healthy(
    "the bridge leads out through a veth, and a container has its other end",
    "tap0",
    setup=LEAD + """
        ip netns add c; ip link set v1 netns c; ip -n c addr add 10.0.0.1/24 dev v1; ip -n c link set v1 up
        ask_from g 10.0.0.1; ask_from g 10.0.0.9
        """,
    probe="to_host")

healthy(
    "the bridge leads out through a veth, and a VLAN on its other end has the address of the host",
    "tap0",
    setup=LEAD + """
        ip -n g addr flush dev eth0; ip -n g link add link eth0 name eth0.5 type vlan id 5
        ip -n g addr add 10.0.0.2/24 dev eth0.5; ip -n g link set eth0.5 up
        ip link add link v1 name v1.5 type vlan id 5; ip addr add 10.0.0.1/24 dev v1.5; ip link set v1.5 up
        ask_from g 10.0.0.1; ask_from g 10.0.0.9
        """,
    probe="to_host", requires="ip link add v0 type veth peer name v1; ip link add link v0 name v0.5 type vlan id 5")

# A host without IPv6, and a guest that has it.
NO_IPV6 = """
    sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
    IPV6=yes; tun; ip netns exec g sysctl -qw net.ipv6.conf.all.disable_ipv6=0
    ip -n g addr add fd00::2/64 dev eth0 nodad
"""

broken(
    "IPv6 is off in the whole namespace, and the guest asks this host by IPv6 and by IPv4",
    "tun0",
    setup=NO_IPV6 + "again to_host6; again to_host",
    want="IPv6 is off on it .disable_ipv6",
    level="warning",
    probe="to_host6",
    repair="sysctl -w net.ipv6.conf.tun0.disable_ipv6=0; ip addr add fd00::1/64 dev tun0 nodad")

broken(
    "IPv4 works, IPv6 is off in the whole namespace, and the question is about an IPv6 address",
    "tun0 --to fd00::2",
    setup=NO_IPV6 + "to_host",
    want="IPv6 is off on it .disable_ipv6",
    level="warning",
    probe="ip -6 addr replace fd00::1/64 dev tun0",
    repair="sysctl -w net.ipv6.conf.tun0.disable_ipv6=0",
    fix=True)

healthy(
    "IPv6 is off in the whole namespace, and the guest, which has it, uses IPv4",
    "tun0",
    setup=NO_IPV6 + "again to_host; again ip netns exec g ping -c1 -W1 ff02::2%eth0",
    probe="to_host")
