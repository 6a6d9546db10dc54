"""Other hosts, or the network behind the bridge, drop what the device carries; each with healthy twins."""

from table import broken, healthy

# office [COMMAND...]: the network behind the uplink eno1 of vmbr0, with a host and a printer, and two machines there
OFFICE = """
    bridge_up vmbr0; ip netns add office; ip -n office link set lo up
    ip netns exec office sysctl -qw net.ipv6.conf.all.disable_ipv6=1
    ip link add eno1 type veth peer name eth0 netns office; ip -n office link set eth0 up
    for n in 40 41; do ip -n office addr add 192.168.3.$n/24 dev eth0; done
    ip link set vmbr0 address "$(mac_of eno1)"; ip link set eno1 master vmbr0 up; ip addr add 192.168.3.1/24 dev vmbr0
    port tap100i0 vmbr0; guest g tap100i0 tap 192.168.3.7/24 192.168.3.1
    from_g() { ip netns exec g ping -c1 -W1 "$1"; }
    """

broken(
    "a cloud delivers frames to the instance's own MAC address alone: the nested machine hears no answer",
    "tap100i0",
    setup=OFFICE + """
        ip netns exec office nft "table netdev c { chain e { type filter hook egress device eth0 priority 0; }; }"
        ip netns exec office nft add rule netdev c e ether daddr != "{ $(mac_of eno1), ff:ff:ff:ff:ff:ff }" drop
        wait_for "ping -c1 -W1 192.168.3.40"; again from_g 192.168.3.40; again ping -c1 -W1 192.168.3.40
        again from_g 192.168.3.1
        """,
    want=r"MAC address of eno1",
    probe="ip netns exec g ping -c1 -W1 192.168.3.40",
    repair="ip netns exec office nft flush ruleset",
    requires="nft 'table netdev c { chain e { type filter hook egress device lo priority 0; }; }'",
    needfix="promiscuous")

healthy(
    "a machine asks for a host of the network behind the bridge that has just been turned off",
    "tap100i0",
    setup=OFFICE + """
        wait_for "ping -c1 -W1 192.168.3.41"; ip -n office addr del 192.168.3.41/24 dev eth0
        again from_g 192.168.3.41; again ping -c1 -W1 192.168.3.41; again from_g 192.168.3.1
        """,
    probe="ip netns exec g ping -c1 -W1 192.168.3.40")

healthy(
    "a machine asks for an address that nobody has, and other hosts behind the uplink answer this host",
    "tap100i0",
    setup=OFFICE + """
        again from_g 192.168.3.77; for n in 40 41; do again ping -c1 -W1 192.168.3.$n; done
        again from_g 192.168.3.41
        """,
    probe="ip netns exec g ping -c1 -W1 192.168.3.40")
