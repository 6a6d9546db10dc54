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

broken(
    "Docker isolates its networks: the VM on one does not reach the container on the other",
    "tap0 --from 10.0.0.2 --to 203.0.113.2",
    setup="""
        forward; A=br-3f1c0e2a9d47; B=br-77b2d41c5e08
        bridge_up $A; ip addr add 10.0.0.1/24 dev $A; port tap0 $A; guest g tap0 tap 10.0.0.2/24 10.0.0.1
        far return; bridge_up $B; ip addr del 203.0.113.1/24 dev v0
        ip link set v0 master $B; ip addr add 203.0.113.1/24 dev $B
        chain ip filter FORWARD forward 0 drop
        for c in DOCKER DOCKER-USER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2; do
          nft add chain ip filter $c
        done
        rule ip filter FORWARD counter jump DOCKER-USER
        rule ip filter FORWARD counter jump DOCKER-ISOLATION-STAGE-1
        for b in $A $B; do
          rule ip filter FORWARD oifname $b ct state related,established counter accept
          rule ip filter FORWARD oifname $b counter jump DOCKER
          rule ip filter FORWARD iifname $b oifname != $b counter accept
          rule ip filter FORWARD iifname $b oifname $b counter accept
          rule ip filter DOCKER-ISOLATION-STAGE-1 iifname $b oifname != $b counter jump DOCKER-ISOLATION-STAGE-2
          rule ip filter DOCKER-ISOLATION-STAGE-2 oifname $b counter drop
        done
        for c in DOCKER-USER DOCKER-ISOLATION-STAGE-1 DOCKER-ISOLATION-STAGE-2; do
          rule ip filter $c counter return
        done
        ask_from g 203.0.113.2
        """,
    want="ISOLATION",
    probe="to_far",
    repair="""
        nft insert rule ip filter DOCKER-USER iifname br-3f1c0e2a9d47 oifname br-77b2d41c5e08 accept
        nft insert rule ip filter DOCKER-USER iifname br-77b2d41c5e08 oifname br-3f1c0e2a9d47 accept
        """,
    reason=NETFILTER)

broken(
    "fail2ban has banned the guest",
    "tun0",
    setup="""
        tun
        chain inet f2b-table f2b-chain input -1
        nft 'add set inet f2b-table addr-set-sshd { type ipv4_addr; }'
        nft 'add element inet f2b-table addr-set-sshd { 192.0.2.44, 10.0.0.2, 198.51.100.23 }'
        rule inet f2b-table f2b-chain ip saddr @addr-set-sshd drop
        ask_from g 10.0.0.1
        """,
    want="f2b|addr-set-sshd",
    probe="to_host",
    repair="nft delete element inet f2b-table addr-set-sshd { 10.0.0.2 }",
    fix=True, reason=NETFILTER)

broken(
    "a rule against tethering sets the TTL of the guest's packets to 1, and they are to be forwarded",
    "tun0",
    setup="""
        forward; tun; far return
        chain ip mangle PREROUTING prerouting -150
        rule ip mangle PREROUTING iifname tun0 counter ip ttl set 1
        ask_from g 203.0.113.2
        """,
    want=r"\bttl\b.*(mangle|PREROUTING|rule|set 1)|(mangle|PREROUTING|rule).*\bttl\b",
    probe="to_far",
    repair="nft delete table ip mangle",
    fix=True, reason="IP_INHDR|TTL")

broken(
    "the tunnel is for one user alone (skuid)",
    "tun0 --user nobody",
    setup="""
        tun
        chain inet vpnonly output output 0
        rule inet vpnonly output oifname tun0 meta skuid != 1000 counter reject
        S send 10.0.0.2 53 65534 || true
        """,
    want="vpnonly|skuid",
    probe="a=$(tx tun0); S send 10.0.0.2 53 65534; [ $(tx tun0) -gt $a ]",
    repair="nft insert rule inet vpnonly output meta skuid nobody accept",
    fix=True, reason=NETFILTER)
