"""Healthy but unusual hosts: doctor finds nothing."""

from table import healthy

healthy(
    "a transient device of a VPN daemon (not persistent)",
    "tun5",
    setup="""
        S hold tun5 0x1001 &
        wait_for 'ip link show tun5'
        ip addr add 10.8.0.6 peer 10.8.0.5 dev tun5; ip link set tun5 up
        """)

healthy(
    "the program before this one ended with packets in its queue",
    "tun0",
    setup="""
        make_tun; "$PY" "$HELPER" hold tun0 0x1001 & attached tun0; ask 10.0.0.2
        kill $!; wait $! || true
        guest g tun0 tun 10.0.0.2/24 10.0.0.1
        """,
    probe="to_guest")

healthy(
    "a /31",
    "tun0",
    setup="make_tun tun0 10.0.0.0/31; guest g tun0 tun 10.0.0.1/31 ''",
    probe="ping -c1 -W1 10.0.0.1")

healthy(
    "the address is borrowed from the uplink (unnumbered)",
    "tun0",
    setup="""
        far; ip tuntap add tun0 mode tun user nobody
        ip addr add 203.0.113.1/32 dev tun0; ip link set tun0 up
        guest g tun0 tun 10.9.9.2/32 ''; ip route add 10.9.9.0/24 dev tun0
        ip -n g route add 203.0.113.0/24 dev eth0
        """,
    probe="ping -c1 -W1 10.9.9.2")

healthy(
    "a full tunnel by 0.0.0.0/1 and 128.0.0.0/1, with a host route to the server",
    "tun0",
    setup="""
        tun
        far; ip route add default via 203.0.113.2
        ip route add 198.51.100.5/32 via 203.0.113.2
        ip route add 0.0.0.0/1 via 10.0.0.2
        ip route add 128.0.0.0/1 via 10.0.0.2
        """,
    probe="to_guest")

healthy(
    "four queues of one program",
    "tun0",
    setup="""
        ip tuntap add dev tun0 mode tun user nobody multi_queue
        ip addr add 10.0.0.1/24 dev tun0; ip link set tun0 up
        S hold tun0 0x1101 4 &
        attached tun0
        """)

healthy(
    "the firewall names the device, to accept",
    "tun0",
    setup="""
        tun
        nft add table inet f
        nft 'add chain inet f i { type filter hook input priority 0; policy accept; }'
        nft add rule inet f i iifname tun0 accept
        """,
    probe="to_host")

healthy(
    "three bridges with twelve VMs, some without a program",
    "",
    setup="""
        for b in 0 1 2; do bridge_up br$b; for i in 0 1 2 3; do port vnet$b$i br$b; done; S hold vnet${b}0 0x1002 & done
        sleep 0.6
        """)

healthy(
    "IPv6 alone",
    "tun0",
    setup="""
        IPV6=yes; ip tuntap add tun0 mode tun user nobody; ip link set tun0 up
        guest g tun0 tun '' ''; ip addr add fd00::1/64 dev tun0
        ip -n g addr add fd00::2/64 dev eth0
        """,
    probe="ping -c1 -W1 fd00::2")

healthy(
    "MTU 1200 on a tunnel without IPv6",
    "tun0",
    setup="tun; ip link set tun0 mtu 1200",
    probe="to_guest")

healthy(
    "the same subnet in another network namespace",
    "tun0",
    setup="""
        tun
        ip netns add blue; ip -n blue tuntap add tun0 mode tun user nobody
        ip -n blue addr add 10.0.0.1/24 dev tun0; ip -n blue link set tun0 up
        """,
    probe="to_guest")

healthy(
    "systemd-networkd itself set the device up",
    "",
    setup=r"""
        tun
        mkdir -p /run/systemd/netif/links /etc/systemd/network
        i=$(cat /sys/class/net/tun0/ifindex)
        printf '%s\n' '[Match]' Name=tun0 '[Network]' Address=10.0.0.1/24 \
          ConfigureWithoutCarrier=yes >/etc/systemd/network/30-tun0.network
        printf '%s\n' '[NetDev]' Name=tun0 Kind=tun '[Tun]' User=nobody >/etc/systemd/network/30-tun0.netdev
        echo ADMIN_STATE=configured >/run/systemd/netif/links/$i
        echo NETWORK_FILE=/etc/systemd/network/30-tun0.network >>/run/systemd/netif/links/$i
        """,
    probe="to_guest")

healthy(
    "the user's own program holds the user's device",
    "tun0 --user nobody",
    setup="chmod 666 /run/tun; make_tun; S hold tun0 0x1001 1 65534 & attached tun0")

healthy(
    "an altname",
    "vpn-to-berlin0",
    setup="tun; ip link property add dev tun0 altname vpn-to-berlin0",
    probe="to_guest")

healthy(
    "an idle prepared device, asked by name for its owner",
    "tun0 --user nobody",
    setup="chmod 666 /run/tun; make_tun")

healthy(
    "a tailscale-like overlay: /32, routes in table 52, rules",
    "tun0",
    setup="""
        make_tun tun0 100.64.3.7/32; guest g tun0 tun 100.64.0.9/32 ''
        ip route add 100.64.0.0/10 dev tun0 table 52
        ip rule add pref 5270 lookup 52
        ip -n g route add 100.64.3.7/32 dev eth0
        """,
    probe="ping -c1 -W1 100.64.0.9")

healthy(
    "tbf on the device, well sized",
    "tun0",
    setup="tun; tc qdisc replace dev tun0 root tbf rate 10mbit burst 32kbit latency 50ms",
    probe="to_guest")

healthy(
    "broadcasts of the guest in its own network, and a daemon at an address of this host",
    "tun0",
    setup="""
        far; forward; make_tun tun0 10.8.0.1/24; guest c tun0 tun 10.8.0.2/24 10.8.0.1
        again ip netns exec c "$PY" "$HELPER" send 10.8.0.255 137; again ping -c1 -W1 10.8.0.2
        """,
    probe="ping -c1 -W1 10.8.0.2")

healthy(
    "a small MTU, and nobody uses IPv6",
    "tun0",
    setup="tun; ip link set tun0 mtu 1200; again ping -c1 -W1 10.0.0.2",
    probe="ping -c1 -W1 10.0.0.2")

healthy(
    "a daemon with a socket for the broadcasts of the network",
    "tun0",
    setup="""
        far; make_tun tun0 10.8.0.1/24
        "$PY" "$HELPER" listen_broadcast tun0 203.0.113.255 & attached tun0
        """,
    probe="ss -uln | grep -q 203.0.113.255:9999")

healthy(
    "a daemon that waits for a shared address (ip_nonlocal_bind)",
    "tun0",
    setup="""
        far; sysctl -qw net.ipv4.ip_nonlocal_bind=1; make_tun tun0 10.8.0.1/24
        S listen tun0 443 203.0.113.77 & attached tun0
        """,
    probe="ss -tln | grep -q 203.0.113.77:443")
