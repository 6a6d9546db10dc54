"""Requests for MAC addresses that nobody answers, now, and their healthy twins."""

from table import broken, healthy

broken(
    "the machine was made anew: the port without learning and flooding has the previous MAC address",
    "tap0",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0
        bridge fdb add 52:54:00:00:00:11 dev tap0 master static
        bridge link set dev tap0 learning off flood off
        bridge fdb del "$(guest_mac g)" dev tap0 master || true
        again ask_from g 10.0.0.1
        """,
    want="fdb|forwarding database",
    probe="to_host",
    repair='bridge fdb replace "$(guest_mac g)" dev tap0 master static',
    fix=True, source="kernel/hypeman#476")

broken(
    "a locked port admits the MAC address of the previous machine",
    "tap0",
    setup="""
        two_taps
        bridge fdb add 52:54:00:00:00:11 dev tap0 master static
        bridge link set dev tap0 learning off locked on
        bridge fdb del "$(guest_mac g)" dev tap0 master || true
        again ask_from g 10.0.0.3
        """,
    want="locked",
    probe="g_to_h",
    repair='bridge fdb replace "$(guest_mac g)" dev tap0 master static',
    fix=True)

healthy(
    "ports without learning and flooding have each machine's MAC address, and a machine asks for one that is off",
    "tap0",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0
        for n in g:tap0 h:tap1; do
          bridge fdb replace "$(guest_mac ${n%:*})" dev ${n#*:} master static
          bridge link set dev ${n#*:} learning off flood off
        done
        again ask_from g 10.0.0.3; again ask_from g 10.0.0.44
        """,
    probe="g_to_h && to_host")

broken(
    "machines behind isolated ports require each other, by IPv6",
    "tap1",
    setup="""
        IPV6=yes; two_taps; ip link add v0 type veth peer name v1; ip link set v0 master br0 up; ip link set v1 up
        ip -n g addr add fd00::2/64 dev eth0 nodad; ip -n h addr add fd00::3/64 dev eth0 nodad
        for d in tap0 tap1; do bridge link set dev $d isolated on; done
        again ask_from g fd00::3; again ask_from h fd00::2
        """,
    want="isolated",
    probe="g_to_h6",
    repair="bridge link set dev tap1 isolated off",
    fix=True, source="OpenNebula/one#6071")

healthy(
    "machines behind isolated ports talk with the gateway, and one asks for a host that is off",
    "tap0",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0
        for d in tap0 tap1; do bridge link set dev $d isolated on; done
        again ask_from g 10.0.0.1; again ask_from h 10.0.0.1; again ask_from g 10.0.0.44
        """,
    probe="to_host")

broken(
    "arp_ignore=2: the guest asks from another network than that of its gateway",
    "tap0",
    setup="""
        make_tap; ip route add 10.7.0.0/24 dev tap0; sysctl -qw net.ipv4.conf.all.arp_ignore=2
        guest g tap0 tap 10.7.0.2/32
        ip -n g route add 10.0.0.1 dev eth0 scope link
        again ask_from g 10.0.0.1
        """,
    want="arp_ignore",
    probe="to_host",
    repair="sysctl -qw net.ipv4.conf.all.arp_ignore=0",
    fix=True)

broken(
    "the gateway's address is on lo, and arp_ignore=1 keeps this host from answering for it",
    "vnet0",
    setup="""
        forward; bridge_up br7; port vnet0 br7; ip addr add 10.9.9.1/32 dev lo
        ip route add 10.0.0.2 dev br7 src 10.9.9.1
        sysctl -qw net.ipv4.conf.br7.arp_ignore=1
        guest g vnet0 tap 10.0.0.2/32; ip -n g route add 10.9.9.1 dev eth0 scope link
        again ask_from g 10.9.9.1
        """,
    want="arp_ignore",
    probe="ip netns exec g ping -c1 -W1 10.9.9.1",
    repair="sysctl -qw net.ipv4.conf.br7.arp_ignore=0",
    fix=True, source="kubernetes/kubernetes#71555")

healthy(
    "arp_ignore=2 and arp_filter=1, and the guest asks from the network of its gateway",
    "tap0",
    setup="""
        sysctl -qw net.ipv4.conf.all.arp_ignore=2 net.ipv4.conf.all.arp_filter=1
        tap; again ask_from g 10.0.0.1; again ask_from g 10.0.0.44
        """,
    probe="to_host")

broken(
    "the guest's gateway is an IPv6 address of another device of this host",
    "tap0",
    setup="""
        IPV6=yes; make_tap; ip addr add fd77::1/128 dev lo nodad; sysctl -qw net.ipv6.conf.all.forwarding=1
        guest g tap0 tap; ip -n g addr add fd00::2/128 dev eth0 nodad; ip route add fd00::2 dev tap0 src fd77::1
        ip -n g route add fd77::1 dev eth0
        again ask_from g fd77::1
        """,
    want="neighbour solicitations.* lo ",
    probe="ip netns exec g ping -c1 -W1 fd77::1",
    repair="sysctl -qw net.ipv6.conf.tap0.proxy_ndp=1; ip neigh add proxy fd77::1 dev tap0",
    fix=True)

broken(
    "the guest's gateway exists nowhere, and proxy_arp is off",
    "cali7",
    setup="""
        forward; far return; ip route add default via 203.0.113.2
        ip tuntap add cali7 mode tap user nobody; ip link set cali7 up; ip route add 10.0.0.2 dev cali7 src 203.0.113.1
        guest g cali7 tap 10.0.0.2/32
        ip -n g route add 169.254.1.1 dev eth0; ip -n g route add default via 169.254.1.1
        again ask_from g 203.0.113.2
        """,
    want="proxy_arp",
    probe="to_far",
    repair="sysctl -qw net.ipv4.conf.cali7.proxy_arp=1",
    fix=True, source="projectcalico/calico#2612")

broken(
    "multicast snooping with a querier, and the guest's firewall drops its MLD reports",
    "tap1",
    setup="""
        IPV6=yes; bridge_up br0 mcast_snooping 1 mcast_querier 1 mcast_query_response_interval 50
        port tap0; port tap1
        guest h tap1 tap; guest g tap0 tap
        ip netns exec g nft 'add table ip6 f; add chain ip6 f o { type filter hook output priority 0; }'
        ip netns exec g nft 'add rule ip6 f o icmpv6 type { mld-listener-report, mld2-listener-report } drop'
        ip link set br0 type bridge mcast_querier 0; sleep 2; ip link set br0 type bridge mcast_querier 1
        ip -n g addr add fd00::2/64 dev eth0 nodad; ip -n h addr add fd00::3/64 dev eth0 nodad
        sleep 1; again ask_from h fd00::2
        """,
    want="snooping",
    probe="ip netns exec h ping -c1 -W1 fd00::2",
    repair="ip link set br0 type bridge mcast_snooping 0",
    fix=True, source="lxc/incus#3294")

healthy(
    "multicast snooping with a querier, and a guest asks for an IPv6 host that is off",
    "tap0",
    setup="""
        IPV6=yes; two_taps br0 mcast_snooping 1 mcast_querier 1 mcast_query_response_interval 50
        ip -n g addr add fd00::2/64 dev eth0 nodad; ip -n h addr add fd00::3/64 dev eth0 nodad
        sleep 2; again ask_from h fd00::2; again ask_from h fd00::44; again ask_from g fd00::55
        """,
    probe="g_to_h6")
