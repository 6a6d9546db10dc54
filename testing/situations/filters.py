"""Queueing disciplines, traffic control, XDP, and the firewall."""

from table import broken

broken(
    "an XDP program drops what comes from the device",
    "tun0",
    setup="tun; S xdpdrop tun0",
    want="XDP|bpf",
    probe="to_guest",
    repair="ip link set dev tun0 xdp off; ip link set dev tun0 xdpgeneric off",
    fix=True,
    reason="XDP")

broken(
    "the root qdisc is too small for one packet (tbf)",
    "tun0",
    setup="""
        tun
        tc qdisc replace dev tun0 root tbf rate 8kbit burst 60 limit 200
        ping -q -c3 -i0.1 -W1 10.0.0.2 || true
        """,
    want=r"qdisc|\btbf\b|shap|\btc\b",
    probe="to_guest",
    repair="tc qdisc del dev tun0 root",
    reason="QDISC|TOO")

broken(
    "INPUT policy drop, no rule names the device",
    "tun0",
    setup="""
        tun
        nft add table inet filter
        nft 'add chain inet filter input { type filter hook input priority 0; policy drop; }'
        nft add rule inet filter input iifname lo accept
        nft add rule inet filter input ct state established,related accept
        ask_from g 10.0.0.1
        """,
    want="firewall|policy|input",
    probe="to_host",
    repair="nft flush ruleset",
    source="KBVE/kbve#10832",
    reason="NETFILTER")

broken(
    "docker's FORWARD policy drop: the guest does not reach other networks",
    "tun0",
    setup="""
        forward
        tun
        far return
        nft add table ip filter
        nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
        nft add rule ip filter FORWARD iifname docker0 oifname '!=' docker0 counter accept
        to_far || true
        """,
    want="forward|docker|firewall|policy",
    probe="to_far",
    repair="nft flush ruleset",
    source="kemeter/ring#146",
    reason="NETFILTER")

broken(
    "br_netfilter: bridged frames pass through FORWARD policy drop",
    "tap0",
    setup="""
        two_taps
        nft add table ip filter
        nft 'add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }'
        sysctl -qw net.bridge.bridge-nf-call-iptables=1; g_to_h || true
        """,
    want="bridge-nf|br_netfilter|firewall|forward",
    probe="g_to_h",
    repair="sysctl -qw net.bridge.bridge-nf-call-iptables=0",
    source="docker/docs#7370",
    reason="NETFILTER")
