"""What other hosts send to VPN daemons, to this host and to hosts behind a device, and what comes back."""

from table import broken, healthy
from journeys import INPUT

NETFILTER = "NETFILTER"

broken(
    "the firewall does not open the TCP port of the VPN daemon",
    "tun0",
    setup="far; make_tun; S listen tun0 443 & attached tun0;" + INPUT + """
        rule ip filter INPUT tcp dport 22 counter accept
        ip netns exec far "$PY" "$HELPER" knock 203.0.113.1 443 || true
        """,
    want=r"\b443\b",
    probe='ip netns exec far "$PY" "$HELPER" knock 203.0.113.1 443',
    repair="nft insert rule ip filter INPUT tcp dport 443 accept",
    fix=True, reason=NETFILTER)

broken(
    "the default zone of firewalld rejects the port of the VPN daemon",
    "tun0",
    setup="""
        far; make_tun; S vpn tun0 1194 &
        attached tun0
        chain inet firewalld filter_INPUT input 10
        nft add chain inet firewalld filter_IN_public; nft add chain inet firewalld filter_IN_public_allow
        nft add chain inet firewalld filter_INPUT_ZONES
        rule inet firewalld filter_INPUT ct state '{ established, related }' accept
        rule inet firewalld filter_INPUT ct status dnat accept
        rule inet firewalld filter_INPUT iifname lo accept
        rule inet firewalld filter_INPUT ct state invalid drop
        rule inet firewalld filter_INPUT jump filter_INPUT_ZONES
        rule inet firewalld filter_INPUT reject with icmpx admin-prohibited
        rule inet firewalld filter_INPUT_ZONES goto filter_IN_public
        rule inet firewalld filter_IN_public jump filter_IN_public_allow
        rule inet firewalld filter_IN_public meta l4proto '{ icmp, ipv6-icmp }' accept
        rule inet firewalld filter_IN_public_allow tcp dport 22 accept
        ip netns exec far "$PY" "$HELPER" vpn tun0 1194 203.0.113.1 &
        wait_for "ip -n far link show tun0"
        ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up
        ask_from far 10.0.0.1
        """,
    want=r"\b1194\b.*firewalld",
    probe="nft insert rule inet firewalld filter_INPUT iifname tun0 accept; ip netns exec far ping -c1 -W1 10.0.0.1",
    repair="nft insert rule inet firewalld filter_INPUT udp dport 1194 accept",
    fix=True, reason=NETFILTER)

FULL_TUNNEL = """
    far; ip route add default via 203.0.113.2; ip netns exec far sysctl -qw net.ipv4.conf.all.rp_filter=0
    make_tun; S vpn tun0 51820 203.0.113.2 0xca6c &
    attached tun0
    ip route add default dev tun0 table 51820; ip rule add not fwmark 0xca6c table 51820
    ip rule add table main suppress_prefixlength 0
    ip netns exec far "$PY" "$HELPER" vpn tun0 51820 203.0.113.1 &
    wait_for "ip -n far link show tun0"
    ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up
    ip -n far addr add 198.51.100.7/32 dev lo
    """

healthy(
    "a VPN for everything by a rule with a mark, as WireGuard's",
    "tun0",
    setup=FULL_TUNNEL + "ask 198.51.100.7",
    probe="ping -c1 -W1 198.51.100.7")

broken(
    "a full tunnel with a mark, and the reverse path filter drops the answers of its server",
    "tun0",
    setup="""
        far; ip route add default via 203.0.113.2; ip -n far addr add 198.51.100.9/32 dev lo
        make_tun; S vpn tun0 51820 198.51.100.9 0xca6c &
        attached tun0
        ip route add default dev tun0 table 51820; ip rule add not fwmark 0xca6c table 51820
        ip rule add table main suppress_prefixlength 0
        sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.v0.rp_filter=1
        chain ip filter INPUT input 0
        rule ip filter INPUT ct state established accept
        ip netns exec far "$PY" "$HELPER" echo 198.51.100.9 51820 &
        sleep 0.3; ping -q -c4 -i0.2 -W1 10.0.0.2 || true
        """,
    want=r"\bv0\b.*rp_filter|rp_filter.*\bv0\b",
    probe="a=$(received tun0); ask 10.0.0.2; sleep 0.2; [ $(received tun0) -gt $a ]",
    repair="sysctl -qw net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.v0.rp_filter=2",
    fix=True)

broken(
    "the VPN takes the default route: nobody outside reaches the SSH of this host any more",
    "tun0",
    setup="""
        far; make_tun; S sink tun0 0x1001 & attached tun0
        S listen_only 22 &
        ip -n far addr add 198.51.100.7/32 dev lo; ip route add default via 203.0.113.2
        ip route add 0.0.0.0/1 dev tun0; ip route add 128.0.0.0/1 dev tun0
        sleep 0.2; ip netns exec far "$PY" "$HELPER" knock 203.0.113.1 22 198.51.100.7 || true
        """,
    want=r"\bv0\b.*tun0|tun0.*\bv0\b|leave through it",
    probe='ip netns exec far "$PY" "$HELPER" knock 203.0.113.1 22 198.51.100.7',
    repair="ip route add default via 203.0.113.2 table 100; ip rule add from 203.0.113.1 table 100",
    fix=True)

healthy(
    "the VPN takes the default route, and connections to the address outside return there",
    "tun0",
    setup="""
        far; tun; S listen_only 22 &
        ip -n far addr add 198.51.100.7/32 dev lo
        ip route add default via 203.0.113.2 table 100; ip rule add from 203.0.113.1 table 100
        ip route add 0.0.0.0/1 dev tun0; ip route add 128.0.0.0/1 dev tun0
        sleep 0.2; ip netns exec far "$PY" "$HELPER" knock 203.0.113.1 22 198.51.100.7
        """,
    probe='to_guest')

broken(
    "no DHCP server: the guest of the bridge gets no address",
    "tap0",
    setup="""
        bridge_up virbr0; ip addr add 10.0.0.1/24 dev virbr0
        port tap0 virbr0; guest g tap0 tap ''
        for _ in 1 2 3; do ip netns exec g "$PY" "$HELPER" discover eth0; sleep 0.1; done
        """,
    want=r"DHCP",
    probe='test -e /run/udp',
    repair="touch /run/udp")

broken(
    "the port forwarding names a network card of another name",
    "tap0",
    setup="""
        forward; far; tap; ip netns exec g "$PY" "$HELPER" server 10.0.0.2 8080 &
        TYPE=nat chain ip nat PREROUTING prerouting -100
        rule ip nat PREROUTING iifname eth0 udp dport 80 counter dnat to 10.0.0.2:8080
        sleep 0.3; ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80
        """,
    want=r"\beth0\b",
    probe='more_udp ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80',
    repair="nft add rule ip nat PREROUTING iifname v0 udp dport 80 dnat to 10.0.0.2:8080")

broken(
    "the port forwarding is for an address that this host has no more",
    "tap0",
    setup="""
        forward; far; tap; ip netns exec g "$PY" "$HELPER" server 10.0.0.2 8080 &
        TYPE=nat chain ip nat PREROUTING prerouting -100
        rule ip nat PREROUTING ip daddr 203.0.113.77 udp dport 80 counter dnat to 10.0.0.2:8080
        sleep 0.3; ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80
        """,
    want=r"203\.0\.113\.77",
    probe='more_udp ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80',
    repair="nft add rule ip nat PREROUTING udp dport 80 dnat to 10.0.0.2:8080")

broken(
    "the port forwarding leads to the old address of the machine",
    "tap0",
    setup="""
        forward; far; tap; ip netns exec g "$PY" "$HELPER" server 10.0.0.2 8080 &
        TYPE=nat chain ip nat PREROUTING prerouting -100
        rule ip nat PREROUTING iifname v0 udp dport 80 counter dnat to 10.0.0.99:8080
        ask 10.0.0.2; sleep 0.3; ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80; sleep 3.3
        """,
    want=r"10\.0\.0\.99",
    probe='more_udp ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80',
    repair="nft insert rule ip nat PREROUTING udp dport 80 dnat to 10.0.0.2:8080")

broken(
    "IPv6 forwarding is on, so the uplink takes no default route from router advertisements any more",
    "tun0",
    setup="""
        sysctl -qw net.ipv6.conf.all.forwarding=1
        tun6; far; ip -n g route add default via fd00::1; sysctl -qw net.ipv6.conf.v0.accept_ra=1
        ip netns exec far sysctl -qw net.ipv6.conf.all.forwarding=1
        S advertise far eth0 2001:db8:1:: &
        ip -n far addr add 2001:db8:9::1/128 dev lo; ip -n far route replace fd00::/64 via 2001:db8::1
        sleep 1.5; ip netns exec g ping -q -c4 -i0.1 -W1 2001:db8:9::1 || true
        """,
    want=r"accept_ra",
    probe="ip netns exec g ping -c1 -W1 2001:db8:9::1",
    repair="sysctl -qw net.ipv6.conf.v0.accept_ra=2",
    fix=True)

broken(
    "libvirt rejects what a guest sends with an address of another network",
    "vnet0",
    setup="""
        forward; far return
        bridge_up virbr0; ip addr add 10.0.0.1/24 dev virbr0
        port vnet0 virbr0; guest g vnet0 tap 10.0.0.2/24 10.0.0.1
        chain ip filter FORWARD forward 0
        for c in LIBVIRT_FWX LIBVIRT_FWI LIBVIRT_FWO; do
          nft add chain ip filter $c; rule ip filter FORWARD counter jump $c
        done
        rule ip filter LIBVIRT_FWX iifname virbr0 oifname virbr0 counter accept
        rule ip filter LIBVIRT_FWI oifname virbr0 ip daddr 192.168.122.0/24 ct state related,established counter accept
        rule ip filter LIBVIRT_FWI oifname virbr0 counter reject
        rule ip filter LIBVIRT_FWO iifname virbr0 ip saddr 192.168.122.0/24 counter accept
        rule ip filter LIBVIRT_FWO iifname virbr0 counter reject
        ask_from g 203.0.113.2
        """,
    want="LIBVIRT_FWO",
    probe="to_far",
    repair="nft insert rule ip filter FORWARD accept",
    fix=True, reason=NETFILTER)

broken(
    "the firewall has no rule for answers: those of the VPN's server do not come in",
    "tun0",
    setup="""
        far; ip netns exec far "$PY" "$HELPER" vpn tun0 1194 203.0.113.1 &
        wait_for "ip -n far link show tun0"
        ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up
        make_tun; chain ip filter INPUT input 0 drop
        rule ip filter INPUT iifname '{ lo, tun0 }' counter accept
        rule ip filter INPUT tcp dport 22 counter accept
        S vpn tun0 1194 203.0.113.2 &
        attached tun0; ask 10.0.0.2
        """,
    want=r"\b1194\b.*INPUT",
    probe="to_guest",
    repair="nft insert rule ip filter INPUT udp sport 1194 accept",
    fix=True, reason=NETFILTER)

healthy(
    "port forwardings for two network cards, one of which this host does not have now",
    "tap0",
    setup="""
        forward; far; tap; ip netns exec g "$PY" "$HELPER" server 10.0.0.2 8080 &
        TYPE=nat chain ip nat PREROUTING prerouting -100
        for i in wlan0 v0; do rule ip nat PREROUTING iifname $i udp dport 80 counter dnat to 10.0.0.2:8080; done
        sleep 0.3; ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80
        ip netns exec far "$PY" "$HELPER" send 203.0.113.1 81
        """,
    probe='more_udp ip netns exec far "$PY" "$HELPER" send 203.0.113.1 80')

healthy(
    "a guest asks a DHCP server of the network outside, of which the bridge is a part",
    "tap0",
    setup="""
        bridge_up; far; ip addr flush dev v0; ip link set v0 master br0; ip addr add 203.0.113.1/24 dev br0
        port tap0; guest g tap0 tap 203.0.113.50/24 203.0.113.1
        for _ in 1 2 3; do ip netns exec g "$PY" "$HELPER" discover eth0; sleep 0.1; done
        """,
    probe="to_far")

healthy(
    "this host forwards IPv6, and takes its default route from router advertisements nevertheless",
    "tun0",
    setup="""
        sysctl -qw net.ipv6.conf.all.forwarding=1
        tun6; far; ip -n g route add default via fd00::1; sysctl -qw net.ipv6.conf.v0.accept_ra=2
        ip netns exec far sysctl -qw net.ipv6.conf.all.forwarding=1
        S advertise far eth0 2001:db8:1:: &
        ip -n far addr add 2001:db8:9::1/128 dev lo; ip -n far route replace fd00::/64 via 2001:db8::1
        wait_for "ip -6 route show default | grep -q v0"; ip netns exec g ping -q -c4 -i0.1 -W1 2001:db8:9::1
        """,
    probe="ip netns exec g ping -c1 -W1 2001:db8:9::1")
