"""More healthy hosts with unusual configurations: doctor finds nothing."""

from table import healthy

healthy(
    "Docker's chains and policy, and DOCKER-USER accepts the device",
    "tun0",
    setup="""
        forward; tun; far return
        chain ip filter FORWARD forward 0 drop
        for c in DOCKER-USER DOCKER-FORWARD DOCKER; do nft add chain ip filter $c; done
        rule ip filter FORWARD counter jump DOCKER-USER
        rule ip filter FORWARD counter jump DOCKER-FORWARD
        rule ip filter DOCKER-USER iifname tun0 counter accept
        rule ip filter DOCKER-USER oifname tun0 ct state related,established counter accept
        rule ip filter DOCKER-FORWARD oifname docker0 counter jump DOCKER
        rule ip filter DOCKER iifname != docker0 oifname docker0 counter drop
        chain ip raw PREROUTING prerouting -300
        rule ip raw PREROUTING ip daddr 172.17.0.2 iifname != docker0 counter drop
        """,
    probe="to_far")

healthy(
    "no owner, IPv6 is off on the device, and IPv4 packets pass",
    "tap0",
    setup="""
        ip tuntap add dev tap0 mode tap; sysctl -qw net.ipv6.conf.tap0.disable_ipv6=1
        ip addr add 169.254.0.2/30 dev tap0; ip link set tap0 up; guest g tap0 tap 169.254.0.1/30
        again ping -c1 -W1 169.254.0.1; ping -c2 -i0.2 -W1 169.254.0.1
        """,
    probe="ping -c1 -W1 169.254.0.1")

healthy(
    "firewalld with the device in the zone trusted",
    "tun0",
    setup="""
        tun
        chain inet firewalld filter_INPUT input 10
        for c in ZONES public trusted; do nft add chain inet firewalld $c; done
        rule inet firewalld filter_INPUT ct state '{ established, related }' accept
        rule inet firewalld filter_INPUT iifname lo accept
        rule inet firewalld filter_INPUT ct state invalid drop
        rule inet firewalld filter_INPUT jump ZONES
        rule inet firewalld filter_INPUT reject with icmpx admin-prohibited
        rule inet firewalld ZONES iifname vmap '{ "v0": goto public, "tun0": goto trusted }'
        rule inet firewalld ZONES goto public
        rule inet firewalld public tcp dport 22 accept
        rule inet firewalld trusted accept
        """,
    probe="to_host")

healthy(
    "wg-quick's rules for another tunnel: fwmark, suppress_prefixlength 0, table 51820",
    "tun0",
    setup="""
        tun; far; ip route add default via 203.0.113.2
        make_tun tun1 10.99.0.1/24; S sink tun1 0x1001 &
        attached tun1; ip route add default dev tun1 table 51820
        ip rule add not fwmark 0xca6c lookup 51820
        ip rule add lookup main suppress_prefixlength 0
        """,
    probe="to_guest && to_host")

healthy(
    "strict reverse path filtering everywhere, and symmetric routes",
    "tun0",
    setup="""
        sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
        forward; tun; far return
        """,
    probe="to_far && to_guest")

healthy(
    "a kill switch that permits this device",
    "tun0",
    setup="""
        tun
        chain inet killswitch output output 0 drop
        rule inet killswitch output oifname { lo, tun0 } accept
        rule inet killswitch output ip daddr 198.51.100.5 udp dport 1194 accept
        """,
    probe="to_guest")

healthy(
    "an ingress hook against false addresses, which this guest does not use",
    "tun0",
    setup="""
        tun
        nft add table netdev guard
        nft 'add chain netdev guard spoof { type filter hook ingress device "tun0" priority -500; }'
        rule netdev guard spoof ip saddr != 10.0.0.0/24 counter drop
        """,
    probe="to_host")

healthy(
    "an isolated port: the guest reaches the host, which is what it is for",
    "tap0",
    setup="""
        bridge_up; ip addr add 10.0.0.1/24 dev br0
        port tap0; guest g tap0 tap 10.0.0.2/24
        bridge link set dev tap0 isolated on
        """,
    probe="to_host")

healthy(
    "HTB with a leaf of good size, and a BPF program that lets everything pass",
    "tun0",
    setup="""
        tun
        tc qdisc add dev tun0 root handle 1: htb default 10
        tc class add dev tun0 parent 1: classid 1:10 htb rate 50mbit
        tc qdisc add dev tun0 parent 1:10 handle 20: pfifo limit 1000
        tc qdisc add dev tun0 clsact; S tcprog tun0 ingress 0
        """,
    probe="to_guest && to_host")

healthy(
    "no ARP at all: permanent neighbour entries on both sides",
    "tap0",
    setup="""
        tap; ip link set tap0 arp off
        ip neigh replace 10.0.0.2 lladdr $(guest_mac g) dev tap0 nud permanent
        ip -n g neigh replace 10.0.0.1 lladdr $(mac_of tap0) dev eth0 nud permanent
        """,
    probe="to_guest")

healthy(
    "private networks are blackholed, except for the one of the device",
    "tun0",
    setup="""
        tun
        for n in 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16; do ip route add blackhole $n; done
        ip -6 route add unreachable fc00::/7
        """,
    probe="to_guest")

healthy(
    "Calico: a block is a blackhole, and each guest has its own route and a permanent neighbour",
    "tap0",
    setup="""
        far; ip route add default via 203.0.113.2
        ip tuntap add tap0 mode tap user nobody; ip link set tap0 up
        sysctl -qw net.ipv4.conf.tap0.proxy_arp=1; forward
        ip route add blackhole 10.244.0.0/26 proto 80; ip route add 10.244.0.5 dev tap0 scope link
        guest g tap0 tap 10.244.0.5/32
        ip -n g route add 169.254.1.1 dev eth0; ip -n g route add default via 169.254.1.1
        ip addr add 10.9.9.9/32 dev lo
        """,
    probe="ping -c1 -W1 -I 10.9.9.9 10.244.0.5")

healthy(
    "two providers: rules by source, a table for each",
    "tun0",
    setup="""
        tun; far; ip route add default via 203.0.113.2
        ip rule add pref 100 from 10.0.0.1 lookup 10; ip rule add pref 101 from 203.0.113.1 lookup 11
        ip route add 10.0.0.0/24 dev tun0 table 10; ip route add default via 10.0.0.2 table 10
        ip route add 203.0.113.0/24 dev v0 table 11; ip route add default via 203.0.113.2 table 11
        """,
    probe="to_guest && to_host")

healthy(
    "a nexthop group over two tunnels, which both work",
    "tun0",
    setup="""
        tun; make_tun tun1 10.0.1.1/24; guest h tun1 tun 10.0.1.2/24 10.0.1.1
        for n in g h; do ip -n $n addr add 10.20.0.1/32 dev lo; done
        ip nexthop add id 1 dev tun0; ip nexthop add id 2 dev tun1; ip nexthop add id 10 group 1/2
        ip route add 10.20.0.0/16 nhid 10
        """,
    probe="to_guest && ping -c1 -W1 10.20.0.1")

healthy(
    "an IPv6 firewall that knows neighbour discovery",
    "tap0",
    setup="""
        tap6
        chain ip6 filter INPUT input 0 drop
        rule ip6 filter INPUT ct state established,related accept
        rule ip6 filter INPUT icmpv6 type '{ nd-neighbor-solicit, nd-neighbor-advert, echo-request }' accept
        """,
    probe="to_guest6 && to_host6 && to_guest")

healthy(
    "a filter against false MAC addresses that knows the address of the guest",
    "tap0",
    setup="""
        two_taps
        nft add table bridge nofilter
        nft 'add chain bridge nofilter spoof { type filter hook prerouting priority -300; }'
        rule bridge nofilter spoof iifname tap0 ether saddr != $(guest_mac g) counter drop
        """,
    probe="g_to_h")

healthy(
    "virtual machines on a bridge with STP that forwards, and a firewall for other devices",
    "tap0",
    setup="""
        bridge_up br0 stp_state 1 forward_delay 200
        ip addr add 10.0.0.1/24 dev br0; port tap0; guest g tap0 tap 10.0.0.2/24
        chain inet filter input input 0
        rule inet filter input iifname { eth0, wlan0 } ct state new counter drop
        wait_for 'bridge link show dev tap0 | grep -q forwarding' || wait_for 'bridge link show | grep -q forwarding'
        """,
    probe="to_host")

healthy(
    "a prepared multi-queue tap with virtio headers, as QEMU uses it, in a bridge without an address",
    "tap0",
    setup="""
        bridge_up; ip tuntap add dev tap0 mode tap multi_queue vnet_hdr user nobody
        ip link set tap0 master br0 up; S hold tap0 0x5102 2 &
        attached tap0
        """)

healthy(
    "forwarding is off on a host that forwards nothing",
    "tun0",
    setup="sysctl -qw net.ipv4.ip_forward=0; tun; ask 10.0.0.2",
    probe="to_guest && to_host")

healthy(
    "ports of virtual machines that neither learn nor flood, with a permanent entry for each guest",
    "tap0",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0
        for n in g:tap0 h:tap1; do
          bridge link set dev ${n#*:} isolated on learning off flood off
          bridge fdb replace $(guest_mac ${n%:*}) dev ${n#*:} master static
        done
        """,
    probe="to_host", source="kernel/hypeman#476")

healthy(
    "an IPsec tunnel for 10.0.0.0/8 with an exception for the device, bans of strangers, and counted invalid packets",
    "tun0",
    setup="""
        forward; tun; far return
        ip xfrm policy add dir out src 0.0.0.0/0 dst 10.0.0.0/8 priority 400 \\
          tmpl src 203.0.113.1 dst 203.0.113.2 proto esp mode tunnel
        for d in out in fwd; do
          ip xfrm policy add dir $d src 0.0.0.0/0 dst 10.0.0.0/24 priority 100 action allow
          ip xfrm policy add dir $d src 10.0.0.0/24 dst 0.0.0.0/0 priority 100 action allow
        done
        chain inet f2b-table f2b-chain input -1
        nft 'add set inet f2b-table addr-set-sshd { type ipv4_addr; }'
        nft 'add element inet f2b-table addr-set-sshd { 192.0.2.44, 198.51.100.23 }'
        rule inet f2b-table f2b-chain ip saddr @addr-set-sshd drop
        chain inet filter forward forward 0
        rule inet filter forward ct state invalid counter packets 217 bytes 14322 drop
        ask 10.0.0.2; ask_from g 203.0.113.2
        """,
    probe="to_far && to_guest", requires="ip xfrm policy")
