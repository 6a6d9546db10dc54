"""The chains of Docker, libvirt, ufw, firewalld and Kubernetes, as their programs create them."""

from table import broken

NETFILTER = "NETFILTER"

broken(
    "ufw denies what comes in, and has no rule for the device",
    "tun0",
    setup="""
        tun
        chain ip filter INPUT input 0 drop
        for c in ufw-before-input ufw-user-input ufw-after-input ufw-skip-to-policy-input; do
          nft add chain ip filter $c
        done
        rule ip filter INPUT counter jump ufw-before-input
        rule ip filter INPUT counter jump ufw-after-input
        rule ip filter ufw-before-input iifname lo counter accept
        rule ip filter ufw-before-input ct state related,established counter accept
        rule ip filter ufw-before-input ct state invalid counter drop
        rule ip filter ufw-before-input counter jump ufw-user-input
        rule ip filter ufw-user-input tcp dport 22 counter accept
        rule ip filter ufw-after-input udp dport 137 counter jump ufw-skip-to-policy-input
        rule ip filter ufw-skip-to-policy-input counter drop
        ask_from g 10.0.0.1
        """,
    want="ufw|INPUT|firewall|policy",
    probe="to_host",
    repair="nft insert rule ip filter INPUT iifname tun0 accept",
    fix=None, reason=NETFILTER)

broken(
    "firewalld: the device is in the zone drop",
    "tun0",
    setup="""
        tun
        chain inet firewalld filter_INPUT input 10
        for c in filter_INPUT_ZONES filter_IN_public filter_IN_drop; do nft add chain inet firewalld $c; done
        rule inet firewalld filter_INPUT ct state '{ established, related }' accept
        rule inet firewalld filter_INPUT iifname lo accept
        rule inet firewalld filter_INPUT jump filter_INPUT_ZONES
        rule inet firewalld filter_INPUT reject with icmpx admin-prohibited
        rule inet firewalld filter_INPUT_ZONES \\
          iifname vmap '{ "v0": goto filter_IN_public, "tun0": goto filter_IN_drop }'
        rule inet firewalld filter_INPUT_ZONES goto filter_IN_public
        rule inet firewalld filter_IN_public tcp dport 22 accept
        rule inet firewalld filter_IN_public meta l4proto icmp accept
        rule inet firewalld filter_IN_drop drop
        ask_from g 10.0.0.1
        """,
    want="firewalld|zone|filter_I",
    probe="to_host",
    repair="nft insert rule inet firewalld filter_IN_drop accept",
    reason=NETFILTER)

broken(
    "firewalld: forwarding between zones is rejected",
    "tun0",
    setup="""
        forward; tun; far return
        chain inet firewalld filter_FORWARD forward 10
        nft add chain inet firewalld filter_FORWARD_POLICIES
        rule inet firewalld filter_FORWARD ct state '{ established, related }' accept
        rule inet firewalld filter_FORWARD jump filter_FORWARD_POLICIES
        rule inet firewalld filter_FORWARD ct state invalid drop
        rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited
        rule inet firewalld filter_FORWARD_POLICIES iifname v0 oifname v0 accept
        ask_from g 203.0.113.2
        """,
    want="firewalld|FORWARD|reject",
    probe="to_far",
    repair="nft insert rule inet firewalld filter_FORWARD iifname tun0 accept",
    reason=NETFILTER)

broken(
    "Docker 28 protects a container in the raw table: a VPN does not reach it",
    "tun0 --from 10.0.0.2 --to 203.0.113.2",
    setup="""
        forward; tun; far return
        chain ip raw PREROUTING prerouting -300
        rule ip raw PREROUTING ip daddr 203.0.113.2 iifname != v0 counter drop
        chain ip filter FORWARD forward 0
        rule ip filter FORWARD iifname tun0 oifname v0 counter accept
        ask_from g 203.0.113.2
        """,
    want="raw|PREROUTING|docker",
    probe="to_far",
    repair="nft insert rule ip raw PREROUTING iifname tun0 accept",
    reason=NETFILTER, source="psviderski/uncloud#293")

broken(
    "libvirt rejects what enters its NAT network from the device",
    "tun0",
    setup="""
        forward; tun; far return
        chain ip filter FORWARD forward 0
        for c in LIBVIRT_FWX LIBVIRT_FWI LIBVIRT_FWO; do
          nft add chain ip filter $c; rule ip filter FORWARD counter jump $c
        done
        rule ip filter LIBVIRT_FWX iifname v0 oifname v0 counter accept
        rule ip filter LIBVIRT_FWI oifname v0 ip daddr 203.0.113.0/24 ct state related,established counter accept
        rule ip filter LIBVIRT_FWI oifname v0 counter reject
        rule ip filter LIBVIRT_FWO iifname v0 ip saddr 203.0.113.0/24 counter accept
        ask_from g 203.0.113.2
        """,
    want="LIBVIRT|FORWARD|libvirt|reject",
    probe="to_far",
    repair="nft insert rule ip filter LIBVIRT_FWI iifname tun0 accept",
    reason=NETFILTER, source="docker/for-linux#949")

broken(
    "requests are forwarded, and the answers are dropped: no rule for established connections",
    "tun0",
    setup="""
        forward; tun; far return
        chain ip filter FORWARD forward 0 drop
        rule ip filter FORWARD iifname tun0 oifname v0 counter accept
        ask_from g 203.0.113.2
        """,
    want="FORWARD|firewall|policy|established",
    probe="to_far",
    repair="nft add rule ip filter FORWARD ct state established,related accept",
    fix=True, reason=NETFILTER)

broken(
    "Docker with ip6tables: IPv6 between the ports of a foreign bridge is dropped",
    "tap0",
    setup="""
        IPV6=yes; two_taps
        ip -n g addr add fd00::2/64 dev eth0 nodad; ip -n h addr add fd00::3/64 dev eth0 nodad
        sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=1
        chain ip6 filter FORWARD forward 0 drop
        rule ip6 filter FORWARD oifname docker0 ct state related,established counter accept
        ask_from g fd00::3
        """,
    want="bridge-nf|br_netfilter|ip6tables|FORWARD",
    probe="g_to_h6",
    repair="sysctl -qw net.bridge.bridge-nf-call-ip6tables=0",
    fix=True, reason=NETFILTER, source="moby/moby#48365")

broken(
    "bridge netfilter is on for one bridge alone (nf_call_iptables)",
    "tap0",
    setup="""
        two_taps br0 nf_call_iptables 1
        sysctl -qw net.bridge.bridge-nf-call-iptables=0
        chain ip filter FORWARD forward 0 drop
        rule ip filter FORWARD ct state established,related accept
        ask_from g 10.0.0.3
        """,
    want="nf.call|br_netfilter|bridge-nf|FORWARD",
    probe="g_to_h",
    repair="ip link set br0 type bridge nf_call_iptables 0",
    fix=True, reason=NETFILTER, source="docker/docs#7370")

broken(
    "Kubernetes: a port is redirected to 127.0.0.1, and route_localnet is off",
    "tun0 --from 10.0.0.2 --to 10.0.0.1 --proto udp --port 53",
    setup="""
        tun
        S server 127.0.0.1 53 &
        TYPE=nat chain ip nat PREROUTING prerouting -100
        rule ip nat PREROUTING iifname tun0 udp dport 53 counter dnat to 127.0.0.1
        sleep 0.3
        ip netns exec g "$PY" "$HELPER" send 10.0.0.1 53
        """,
    want=r"route_localnet|127\.0\.0\.1|martian",
    probe='more_udp ip netns exec g "$PY" "$HELPER" send 10.0.0.1 53',
    repair="sysctl -w net.ipv4.conf.tun0.route_localnet=1",
    reason="LOCALNET|MARTIAN|IP_|INVALID")
