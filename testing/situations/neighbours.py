"""Who answers ARP and neighbour discovery in the place of the guest, and who may not."""

from table import broken, healthy

ROUTED = """
    forward; far; ip tuntap add tap0 mode tap user nobody; ip link set tap0 up
    guest g tap0 tap 203.0.113.50/32
    ip route add 203.0.113.50 dev tap0
    ip -n g route add 203.0.113.1 dev eth0; ip -n g route add default via 203.0.113.1
    """

broken(
    "the guest has an address of the LAN and a route of its own, and nobody answers ARP for it (proxy_arp)",
    "tap0",
    setup=ROUTED + "ask_from g 203.0.113.2",
    want="proxy.?arp",
    probe="ip netns exec far ping -c1 -W1 203.0.113.50",
    repair="sysctl -w net.ipv4.conf.v0.proxy_arp=1",
    fix=True)

broken(
    "the uplink has the proxy entry for the guest, and proxy_ndp is off",
    "tap0 --to 2001:db8::50",
    setup="""
        IPV6=yes; far; sysctl -qw net.ipv6.conf.all.forwarding=1
        ip tuntap add tap0 mode tap user nobody; ip link set tap0 up
        guest g tap0 tap ''; ip addr add fe80::1/64 dev tap0 nodad
        ip -n g addr add 2001:db8::50/128 dev eth0 nodad; ip -n g route add default via fe80::1 dev eth0
        ip route add 2001:db8::50 dev tap0; ip neigh add proxy 2001:db8::50 dev v0
        sleep 2; ask_from g 2001:db8::2
        """,
    want="proxy_ndp",
    probe="ip netns exec far ping -c1 -W1 2001:db8::50",
    repair="sysctl -w net.ipv6.conf.v0.proxy_ndp=1",
    fix=True, source="docker/for-linux#928")

broken(
    "an ARP rule for the virtual address of a load balancer (arptables) hides the address of the tap",
    "tap0",
    setup="""
        tap
        chain arp filter INPUT input 0
        rule arp filter INPUT arp daddr ip 10.0.0.1 counter drop
        ask_from g 10.0.0.1
        """,
    want=r"\barp\b.*(table|chain|INPUT|rule)|(table|chain|rule)\b.*\barp\b",
    probe="to_host",
    repair="nft delete table arp filter",
    fix=True, reason="NETFILTER")

broken(
    "libvirt's filter clean-traffic knows the previous address of the guest",
    "tap0",
    setup="""
        bridge_up; ip addr add 10.0.0.1/24 dev br0
        port tap0; guest g tap0 tap 10.0.0.2/24
        chain bridge nat PREROUTING prerouting -300
        for c in libvirt-I-tap0 I-tap0-ipv4-ip I-tap0-arp-ip; do nft add chain bridge nat $c; done
        rule bridge nat PREROUTING iifname tap0 counter jump libvirt-I-tap0
        rule bridge nat libvirt-I-tap0 ether type ip counter jump I-tap0-ipv4-ip
        rule bridge nat libvirt-I-tap0 ether type arp counter jump I-tap0-arp-ip
        rule bridge nat I-tap0-ipv4-ip ip saddr 0.0.0.0 udp dport 67 counter return
        rule bridge nat I-tap0-ipv4-ip ip saddr 10.0.0.99 counter return
        rule bridge nat I-tap0-ipv4-ip counter drop
        rule bridge nat I-tap0-arp-ip arp saddr ip { 0.0.0.0, 10.0.0.99 } counter return
        rule bridge nat I-tap0-arp-ip counter drop
        ask_from g 10.0.0.1
        """,
    want="I-tap0",
    probe="to_host",
    repair="nft insert rule bridge nat libvirt-I-tap0 accept",
    fix=True, reason="NETFILTER", source="subuk/vmango#13")

healthy(
    "the guest has an address of the LAN and a route of its own, and the host answers ARP for it (proxy_arp)",
    "tap0",
    setup=ROUTED + "sysctl -qw net.ipv4.conf.v0.proxy_arp=1; ask_from g 203.0.113.2",
    probe="ip netns exec far ping -c1 -W1 203.0.113.50")

healthy(
    "the route to the network behind the guest has an IPv6 gateway",
    "tap0 --to 10.20.0.1",
    setup="""
        IPV6=yes; make_tap tap0 10.0.0.1/32; guest g tap0 tap 10.20.0.1/32
        ip addr add fe80::1/64 dev tap0 nodad; ip -n g addr add fe80::2/64 dev eth0 nodad
        ip route add 10.20.0.0/24 via inet6 fe80::2 dev tap0
        ip -n g route add 10.0.0.1 via inet6 fe80::1 dev eth0
        """,
    probe="ping -c1 -W1 10.20.0.1")
