"""Healthy hosts with a kill switch, an old topology of OpenVPN, an isolated network, Docker, a VPN server."""

from table import healthy

healthy(
    "the kill switch of a VPN client drops all but its tunnel and private networks",
    "tap0",
    setup="""
        tap; far; ip route add default via 203.0.113.2
        for h in input forward output; do chain inet mullvad $h $h 0 drop; done
        rule inet mullvad input iifname lo accept; rule inet mullvad output oifname lo accept
        rule inet mullvad input ip saddr '{ 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 }' counter accept
        rule inet mullvad output ip daddr '{ 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 }' counter accept
        rule inet mullvad output ip daddr 203.0.113.2 udp dport 51820 counter accept
        rule inet mullvad output counter reject
        """,
    probe="to_guest && to_host")

healthy(
    "OpenVPN's topology net30: a peer address that is nobody, and the network of the clients behind it",
    "tun0",
    setup="""
        ip tuntap add dev tun0 mode tun user nobody
        ip addr add 10.8.0.1 peer 10.8.0.2 dev tun0; ip link set tun0 up
        ip route add 10.8.0.0/24 via 10.8.0.2
        guest g tun0 tun ''; ip -n g addr add 10.8.0.6 peer 10.8.0.5 dev eth0; ip -n g route add 10.8.0.1 via 10.8.0.5
        """,
    probe="ping -c1 -W1 10.8.0.6")

healthy(
    "an isolated network: a bridge without address and uplink, whose guests reach one another",
    "tap0",
    setup="far; ip route add default via 203.0.113.2; two_taps",
    probe="g_to_h")

healthy(
    "Docker's policy drops, and a container uses the VPN of the host, masqueraded",
    "tun0",
    setup="""
        forward; tun; ip route add 10.20.0.0/16 via 10.0.0.2; ip -n g addr add 10.20.0.1/16 dev lo
        bridge_up docker0; ip addr add 172.17.0.1/16 dev docker0
        ip netns add c; ip link add veth1 type veth peer name eth0 netns c; ip link set veth1 master docker0 up
        ip -n c addr add 172.17.0.2/16 dev eth0; ip -n c link set eth0 up; ip -n c route add default via 172.17.0.1
        chain ip filter FORWARD forward 0 drop
        for c in DOCKER-USER DOCKER; do nft add chain ip filter $c; done
        rule ip filter FORWARD counter jump DOCKER-USER
        rule ip filter FORWARD oifname docker0 ct state related,established counter accept
        rule ip filter FORWARD oifname docker0 counter jump DOCKER
        rule ip filter FORWARD iifname docker0 counter accept
        TYPE=nat chain ip nat POSTROUTING postrouting 100
        rule ip nat POSTROUTING ip saddr 172.17.0.0/16 oifname != docker0 counter masquerade
        """,
    probe="ip netns exec c ping -c1 -W1 10.20.0.1")

healthy(
    "a VPN server whose firewall opens its UDP port, the tunnel, and nothing more",
    "tun0",
    setup="""
        far; make_tun; S vpn tun0 1194 &
        attached tun0
        chain ip filter INPUT input 0 drop
        rule ip filter INPUT ct state related,established counter accept
        rule ip filter INPUT iifname '{ lo, tun0 }' counter accept
        rule ip filter INPUT udp dport 1194 counter accept
        ip netns exec far "$PY" "$HELPER" vpn tun0 1194 203.0.113.1 &
        wait_for "ip -n far link show tun0"
        ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up
        """,
    probe="ip netns exec far ping -c1 -W1 10.0.0.1")

healthy(
    "a VPN to a large network, a part of which this host has for containers: nobody looks for another host there",
    "tun0",
    setup="""
        tun; ip addr add 172.16.5.1/12 dev tun0; ip -n g addr add 172.16.0.1/12 dev eth0
        bridge_up docker0; ip addr add 172.17.0.1/16 dev docker0
        ping -c2 -i0.2 -W1 172.16.0.1
        """,
    probe="ping -c1 -W1 172.16.0.1")

healthy(
    "the routes that a VPN accepts contain the network of the host itself, which a throw route leaves out",
    "tun0",
    setup="""
        tun; far
        ip route add 203.0.112.0/22 dev tun0 table 52; ip route add throw 203.0.113.0/24 table 52
        ip rule add priority 5270 lookup 52
        ping -c1 -W1 203.0.113.2; again ping -c1 -W1 10.0.0.2
        """,
    probe="ping -c1 -W1 203.0.113.2")

healthy(
    "a network got its return route after pings were lost, and nobody sends a packet now",
    "tun0",
    setup="""
        forward; tun; far; ip netns exec g ping -q -c5 -i0.1 -W0.2 203.0.113.2 || true
        ip -n far route add 10.0.0.0/24 via 203.0.113.1; ip netns exec g ping -q -c20 -i0.01 -W1 203.0.113.2
        """,
    probe="to_far")

healthy(
    "a network got its return route after many pings were lost, and one is asked about that is answered now",
    "tun0 --from 10.0.0.2 --to 203.0.113.2",
    setup="""
        forward; tun; far; ip netns exec g ping -q -c40 -i0.01 -W0.2 203.0.113.2 || true
        ip -n far route add 10.0.0.0/24 via 203.0.113.1; again ip netns exec g ping -c1 -W1 203.0.113.2
        """,
    probe="to_far")

healthy(
    "a policy rule leads the guest into another table, whose router got its return route after pings were lost",
    "tun0",
    setup="""
        forward; tun; far
        ip route add default via 203.0.113.2 table 7; ip rule add iif tun0 lookup 7
        ip -n far addr add 198.51.100.7/32 dev lo; ip netns exec g ping -q -c5 -i0.1 -W0.2 198.51.100.7 || true
        ip -n far route add 10.0.0.0/24 via 203.0.113.1; ip netns exec g ping -q -c20 -i0.01 -W1 198.51.100.7
        """,
    probe="ip netns exec g ping -c1 -W1 198.51.100.7")
