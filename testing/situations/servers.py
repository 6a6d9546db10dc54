"""What goes wrong on servers and clients of VPNs: ports, ufw, Docker, masquerading, routes."""

from table import broken

NETFILTER = "NETFILTER"

broken(
    "the firewall does not open the UDP port of the VPN daemon: its clients do not get in",
    "tun0",
    setup="""
        far; make_tun; S vpn tun0 1194 &
        attached tun0
        chain ip filter INPUT input 0 drop
        rule ip filter INPUT ct state related,established counter accept
        rule ip filter INPUT iifname '{ lo, tun0 }' counter accept
        rule ip filter INPUT meta l4proto icmp counter accept
        rule ip filter INPUT tcp dport 22 counter accept
        ip netns exec far "$PY" "$HELPER" vpn tun0 1194 203.0.113.1 &
        wait_for "ip -n far link show tun0"
        ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up
        ask_from far 10.0.0.1
        """,
    want=r"\b1194\b",
    probe="ip netns exec far ping -c1 -W1 10.0.0.1",
    repair="nft insert rule ip filter INPUT udp dport 1194 accept",
    fix=True, source="Nyr/openvpn-install#45")

broken(
    "ufw does not forward by default: the pings of VPN clients pass, and their DNS does not",
    "tun0 --from 10.0.0.2 --to 203.0.113.2 --proto udp --port 53",
    setup="""
        forward; tun; far return
        ip netns exec far "$PY" "$HELPER" server 203.0.113.2 53 &
        chain ip filter FORWARD forward 0 drop
        for c in before-logging before after after-logging reject track; do
          nft add chain ip filter ufw-$c-forward; rule ip filter FORWARD counter jump ufw-$c-forward
        done
        nft add chain ip filter ufw-user-forward
        rule ip filter ufw-before-forward ct state related,established counter accept
        for i in destination-unreachable time-exceeded parameter-problem echo-request; do
          rule ip filter ufw-before-forward icmp type $i counter accept
        done
        rule ip filter ufw-before-forward counter jump ufw-user-forward
        sleep 0.3; ip netns exec g "$PY" "$HELPER" send 203.0.113.2 53
        """,
    want=r"(?-i:FORWARD|ufw-\S*forward)",
    probe='more_udp ip netns exec g "$PY" "$HELPER" send 203.0.113.2 53',
    repair="nft add rule ip filter ufw-user-forward iifname tun0 accept",
    fix=True, reason=NETFILTER, source="angristan/openvpn-install#233")

broken(
    "the rule that accepts was added after the one that rejects the rest (icmp-host-prohibited)",
    "tun0",
    setup="""
        forward; tun; far return
        chain ip filter FORWARD forward 0
        rule ip filter FORWARD ct state related,established counter accept
        rule ip filter FORWARD counter reject with icmp host-prohibited
        rule ip filter FORWARD iifname tun0 oifname v0 counter accept
        ask_from g 203.0.113.2
        """,
    want=r"(?-i:FORWARD).*reject|reject.*(?-i:FORWARD)",
    probe="to_far",
    repair="nft insert rule ip filter FORWARD iifname tun0 accept",
    fix=True, reason=NETFILTER)

broken(
    "after a restart the VPN's device is tun1, and the rules name tun0",
    "tun1",
    setup="""
        forward; make_tun tun1; guest g tun1 tun 10.0.0.2/24 10.0.0.1; far return
        chain ip filter FORWARD forward 0 drop
        rule ip filter FORWARD ct state related,established counter accept
        rule ip filter FORWARD iifname tun0 oifname v0 counter accept
        ask_from g 203.0.113.2
        """,
    want="(?-i:FORWARD)",
    probe="to_far",
    repair="nft add rule ip filter FORWARD iifname tun1 accept",
    needfix="tun1", fix=True, reason=NETFILTER)

broken(
    "a table of one's own accepts, and Docker's policy drops nevertheless",
    "tun0",
    setup="""
        forward; tun; far return
        chain inet mine forward forward -10
        rule inet mine forward iifname tun0 counter accept
        rule inet mine forward oifname tun0 counter accept
        chain ip filter FORWARD forward 0 drop
        for c in DOCKER-USER DOCKER-FORWARD; do nft add chain ip filter $c; rule ip filter FORWARD counter jump $c; done
        rule ip filter DOCKER-FORWARD oifname docker0 ct state related,established counter accept
        rule ip filter DOCKER-FORWARD iifname docker0 counter accept
        ask_from g 203.0.113.2
        """,
    want="(?-i:FORWARD)",
    probe="to_far",
    repair="for d in iifname oifname; do nft add rule ip filter DOCKER-USER $d tun0 accept; done",
    fix=True, reason=NETFILTER)

broken(
    "VPN clients reach the LAN, and not one another: nothing is forwarded from tun0 to tun0",
    "tun0 --from 10.0.0.2 --to 10.0.0.3",
    setup="""
        forward; make_tun; far return; sysctl -qw net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.tun0.send_redirects=0
        chain ip filter FORWARD forward 0 drop
        rule ip filter FORWARD ct state related,established counter accept
        rule ip filter FORWARD iifname tun0 oifname v0 counter accept
        S talk tun0 0x1001 echo:10.0.0.2:10.0.0.3 &
        attached tun0; sleep 0.5
        """,
    want="(?-i:FORWARD)",
    probe="a=$(tx tun0); sleep 1; [ $(tx tun0) -gt $((a + 3)) ]",
    repair="nft add rule ip filter FORWARD iifname tun0 oifname tun0 accept",
    fix=True, reason=NETFILTER, source="angristan/openvpn-install#1121")

broken(
    "the address was added without a prefix length, and is a /32",
    "tun0",
    setup="""
        ip tuntap add dev tun0 mode tun user nobody
        ip addr add 10.0.0.1 dev tun0; ip link set tun0 up
        guest g tun0 tun 10.0.0.2/24 10.0.0.1
        far; ip route add default via 203.0.113.2
        ask_from g 10.0.0.1
        """,
    want=r"/32\b|prefix length|netmask",
    probe="to_host",
    repair="ip route add 10.0.0.0/24 dev tun0",
    fix=True)

broken(
    "a VPN takes the default route, and the guests are masqueraded on the uplink alone",
    "tap0",
    setup="""
        forward; tap; far; ip route add default via 203.0.113.2
        TYPE=nat chain ip nat POSTROUTING postrouting 100
        rule ip nat POSTROUTING ip saddr 10.0.0.0/24 oifname v0 counter masquerade
        make_tun tun1 10.8.0.2/24; guest vpn tun1 tun 10.8.0.1/24
        ip -n vpn addr add 198.51.100.7/32 dev lo; ip -n far addr add 198.51.100.7/32 dev lo
        ip route add 0.0.0.0/1 via 10.8.0.1; ip route add 128.0.0.0/1 via 10.8.0.1
        ip netns exec g ping -q -c8 -i0.1 -W1 198.51.100.7 || true
        """,
    want=(r"\btun1\b.*(masquerad|\bNAT\b|translat|(way|route) back)"
          r"|(masquerad|\bNAT\b|translat|(way|route) back).*\btun1\b"),
    probe="ip netns exec g ping -c1 -W1 198.51.100.7",
    repair="nft add rule ip nat POSTROUTING oifname tun1 masquerade",
    needfix="masquerade", source="casualsnek/cassowary#51")

broken(
    "tailscale accepts a route for the network of the tap, and its rule is before the table main",
    "tap0",
    setup="""
        tap
        make_tun tailscale0 100.64.3.7/32; S sink tailscale0 0x1001 &
        attached tailscale0; ip route add 10.0.0.0/24 dev tailscale0 table 52
        ip rule add pref 5210 fwmark 0x80000/0xff0000 lookup main
        ip rule add pref 5230 fwmark 0x80000/0xff0000 lookup default
        ip rule add pref 5250 fwmark 0x80000/0xff0000 unreachable
        ip rule add pref 5270 lookup 52
        ask_from g 10.0.0.1
        """,
    want=r"tailscale0|table 52\b|pref 5270",
    probe="to_host",
    repair="ip rule add pref 5200 to 10.0.0.0/24 lookup main",
    fix=True, source="tailscale/tailscale#14147")

broken(
    "the device of a daemon that is gone has the same network as the one of the new daemon",
    "tun1",
    setup="make_tun tun0; make_tun tun1; guest g tun1 tun 10.0.0.2/24 10.0.0.1; ask_from g 10.0.0.1",
    want=r"\btun0\b",
    probe="to_guest",
    repair="ip link del tun0",
    fix=True)

broken(
    "IPv4 is masqueraded, and the local IPv6 addresses (fd00::/64) are not",
    "tun0",
    setup="""
        forward; sysctl -qw net.ipv6.conf.all.forwarding=1
        tun6; far; ip -n far route del fd00::/64; ip -n g route add default via fd00::1
        ip route add default via 203.0.113.2; ip -6 route add default via 2001:db8::2
        TYPE=nat chain ip nat POSTROUTING postrouting 100
        rule ip nat POSTROUTING ip saddr 10.0.0.0/24 oifname v0 counter masquerade
        ip netns exec g ping -q -c8 -i0.1 -W1 2001:db8::2 || true
        """,
    want=(r"(IPv6|fd00::).*(masquerad|\bNAT\b|translat|(way|route) back|return (path|route))"
          r"|(masquerad|\bNAT\b|translat|(way|route) back|return (path|route)).*(IPv6|fd00::)"),
    probe="to_far6",
    repair="TYPE=nat chain ip6 n p postrouting 100; rule ip6 n p oifname v0 masquerade")
