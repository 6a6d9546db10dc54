"""Forwarding, NAT, the return path, and MTU."""

from table import broken

broken(
    "masquerading is missing: the guest's packets leave, and nothing comes back",
    "tun0",
    setup="""
        forward
        tun
        far; ip route add default via 203.0.113.2
        ip netns exec g ping -q -c8 -i0.1 -W1 203.0.113.2 || true
        """,
    want=r"masquerad|\bNAT\b|way back|route back|back to 10\.0\.0\.0",
    probe="to_far",
    repair="""
        nft add table ip n
        nft 'add chain ip n p { type nat hook postrouting priority 100; }'
        nft add rule ip n p oifname v0 masquerade
        """)

broken(
    "ip_forward is off, a real guest sends to other networks",
    "tun0",
    setup="sysctl -qw net.ipv4.ip_forward=0; tun; far return; to_far || true",
    want="does not forward|forward",
    probe="to_far",
    repair="sysctl -w net.ipv4.ip_forward=1",
    fix=True,
    reason="IP_IN|FORWARD")

broken(
    "ip_forward is on, and forwarding off for the device alone",
    "tun0",
    setup="forward; tun; far return; sysctl -qw net.ipv4.conf.tun0.forwarding=0; to_far || true",
    want="forward",
    probe="to_far",
    repair="sysctl -w net.ipv4.conf.tun0.forwarding=1",
    fix=True,
    reason="IP_IN|FORWARD")

broken(
    "rp_filter 1, and the answers come from an address that is routed elsewhere (real traffic)",
    "tun0",
    setup="""
        forward
        tun
        far return; ip route add default via 203.0.113.2
        ip -n g addr add 198.51.100.7/32 dev lo
        sysctl -qw net.ipv4.conf.all.rp_filter=1
        ip netns exec g ping -q -c3 -i0.1 -W1 -I 198.51.100.7 203.0.113.2 || true
        """,
    want="rp_filter",
    probe="more_echos ip netns exec g ping -c1 -W1 -I 198.51.100.7 203.0.113.2",
    repair="sysctl -w net.ipv4.conf.tun0.rp_filter=2",
    fix=True,
    reason="RPFILTER")

broken(
    "packets that are too large for the device are dropped, and the ICMP that says so too (MTU black hole)",
    "tun0",
    setup="""
        forward
        tun
        ip link set tun0 mtu 1300; far return
        nft add table ip f
        nft 'add chain ip f o { type filter hook output priority 0; }'
        nft add rule ip f o icmp type destination-unreachable drop
        ip netns exec far ping -q -c3 -i0.1 -W1 -s 1400 -M do 10.0.0.2 || true
        """,
    want="MTU|fragment|too (big|large)",
    probe="ip netns exec far ping -c1 -W1 -s 1400 -M do 10.0.0.2",
    repair="ip link set tun0 mtu 1500")

broken(
    "the guest reaches one network, and a second one, which is asked about, has no return route",
    "tun0 --from 10.0.0.2 --to 198.51.100.2",
    setup="""
        forward; tun; far return; ip netns exec g ping -q -c60 -i0.01 -W1 203.0.113.2
        ip netns add far2; ip link add v2 type veth peer name eth0 netns far2
        ip addr add 198.51.100.1/24 dev v2; ip link set v2 up
        ip -n far2 addr add 198.51.100.2/24 dev eth0; ip -n far2 link set eth0 up
        again ip netns exec g ping -c1 -W0.2 198.51.100.2; sleep 1
        """,
    want="masquerad",
    level="warning",
    probe="ip netns exec g ping -c1 -W1 198.51.100.2",
    repair="ip -n far2 route add 10.0.0.0/24 via 198.51.100.1",
    fix=True)

# A tunnel through v0 to the host far, which looks for a host behind t0
TUNNELLED = """
    far; make_tun; S vpn tun0 5000 203.0.113.2 0 connect & attached tun0
    ip netns exec far "$PY" "$HELPER" vpn tun0 5000 203.0.113.1 &
    wait_for "ip -n far link show tun0"; ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up
    wait_for 'ping -c1 -W1 10.0.0.2'
    ip netns add third; ip link add t0 type veth peer name eth0 netns third
    ip addr add 10.50.0.1/24 dev t0; ip link set t0 up
    ip -n third addr add 10.50.0.2/24 dev eth0; ip -n third link set eth0 up
    ip -n third route add default via 10.50.0.1; ip -n far route add 10.50.0.0/24 via 10.0.0.1
"""
TO_THIRD = "ip netns exec far ping -c1 -W0.3 10.50.0.2"

broken(
    "ip_forward is off, and the link that only carries the tunnel has no part in it",
    "tun0",
    setup=TUNNELLED + "sysctl -qw net.ipv4.ip_forward=0; for i in 1 2 3 4; do %s || true; done" % TO_THIRD,
    want="does not forward",
    level="warning",
    badfix="v0",
    probe=TO_THIRD,
    repair="sysctl -qw net.ipv4.ip_forward=1",
    fix=True)

broken(
    "ip_forward is off, and the other end of a tunnel sends packets to a third host now",
    "tun0",
    setup=TUNNELLED + "sysctl -qw net.ipv4.ip_forward=0; again %s; sleep 1" % TO_THIRD,
    want="does not forward IPv4 packets that arrive through tun0: .*seen just now",
    level="error",
    badfix="v0",
    probe=TO_THIRD,
    repair="sysctl -qw net.ipv4.ip_forward=1",
    fix=True)

broken(
    "only the device forwards, and the link that only carries the tunnel has no part in it",
    "tun0",
    setup=TUNNELLED + """
        sysctl -qw net.ipv4.ip_forward=0 net.ipv4.conf.tun0.forwarding=1
        for i in 1 2 3 4; do %s || true; done
        """ % TO_THIRD,
    want="does not forward",
    badfix="v0",
    probe=TO_THIRD,
    repair="sysctl -qw net.ipv4.conf.t0.forwarding=1",
    fix=True)
