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

# wall RULE...: the machine g has a firewall that drops what arrives, except answers and these rules
WALL = """
    wall() {
      ip netns exec g nft "table inet own { chain i { type filter hook input priority 0; policy drop; }; }"
      for r in "ct state established,related accept" "$@"; do ip netns exec g nft "add rule inet own i $r"; done
    }
    """

broken(
    "the machine's own firewall has no rule for ping, and the host asks each moment whether it is there",
    "vnet3",
    setup=WALL + """
        bridge_up virbr0; ip addr add 10.0.0.1/24 dev virbr0; port vnet3 virbr0; guest g vnet3 tap 10.0.0.2/24 10.0.0.1
        wall; to_host; again ping -c1 -W1 10.0.0.2; again to_host
        """,
    want=r"10\.0\.0\.2.*its own firewall",
    probe="to_guest",
    repair="ip netns exec g nft flush ruleset",
    needfix="inside 10.0.0.2")

broken(
    "ssh to the machine hangs: ping is answered, and the machine's firewall drops what is for port 22",
    "tap0",
    setup=WALL + """
        tap; ip netns exec g "$PY" "$HELPER" listen_only 22 & wall "icmp type echo-request accept"; sleep 0.3
        to_guest; again timeout 1 bash -c '</dev/tcp/10.0.0.2/22'; again to_guest; again to_host
        """,
    want=r"10\.0\.0\.2.*port 22.*its own firewall",
    probe="S knock 10.0.0.2 22",
    repair="ip netns exec g nft flush ruleset",
    needfix="port 22")

healthy(
    "the host sends its log to the machine, which answers nothing, and to whose service the host talks",
    "tap0",
    setup=WALL + """
        tap; wall "udp dport { 514, 9999 } accept" "icmp type echo-request accept"
        ip netns exec g "$PY" "$HELPER" server 10.0.0.2 9999 & sleep 0.3
        again S send 10.0.0.2 514; again S send 10.0.0.2 9999; again to_host
        """,
    probe="to_guest")

healthy(
    "a machine that starts again and again: the host asks for it meanwhile",
    "tap0",
    setup="""
        tap; to_guest; again ping -c1 -W1 10.0.0.2; again to_host
        starts() { ip -n g link set eth0 down; sleep 1.5; ip -n g link set eth0 up; sleep 1.5; }
        again starts
        """,
    probe="to_guest")

healthy(
    "a router behind the tap answers ARP for a machine of its own that is off",
    "tap0",
    setup="""
        tap; ip -n g link add d0 type veth peer name d1; for d in d0 d1; do ip -n g link set $d up; done
        ip -n g route add 10.0.0.50 dev d0
        ip netns exec g sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.eth0.proxy_arp=1
        ip netns exec g nft "table ip f { chain o { type filter hook output priority 0; }; }"
        ip netns exec g nft add rule ip f o icmp type destination-unreachable drop
        again ping -c1 -W1 10.0.0.50; again to_host; again to_guest; wait_for "ip neigh show 10.0.0.50 | grep -q lladdr"
        """,
    probe="to_guest")

# node: a node at 10.6.0.35 and a network behind it; the tunnel had 10.6.0.2 before, and has 10.6.0.34 beside it
NODE = """
    make_tun wt0 10.6.0.2/28; ip addr add 10.6.0.34/28 dev wt0; ip route add 172.30.1.0/24 dev wt0
    guest g wt0 tun 10.6.0.35/28; ip -n g addr add 172.30.1.5/32 dev lo
    again ping -c1 -W1 10.6.0.35; again ping -c1 -W1 172.30.1.5
    """

broken(
    "the tunnel keeps the address of before: the network behind the node gets packets from it",
    "wt0",
    setup=NODE,
    want=r"172\.30\.1\.5 have the source 10\.6\.0\.2\b",
    probe="ping -c1 -W1 172.30.1.5",
    repair="ip addr del 10.6.0.2/28 dev wt0",
    fix=True)

healthy(
    "a tunnel with two addresses: the node answers both",
    "wt0",
    setup=NODE + "ip -n g route add 10.6.0.0/28 dev eth0",
    probe="ping -c1 -W1 172.30.1.5 && ping -c1 -W1 10.6.0.35")

healthy(
    "a tunnel with two addresses: the node answers both, and a host of the network behind it is off",
    "wt0",
    setup=NODE + "ip -n g route add 10.6.0.0/28 dev eth0; again ping -c1 -W1 172.30.1.99",
    probe="ping -c1 -W1 172.30.1.5 && ping -c1 -W1 10.6.0.35")
