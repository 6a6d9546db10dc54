"""Firewalls by hand: sets, maps, marks, hooks of other families."""

from table import broken

NETFILTER = "NETFILTER"

broken(
    "a set of trusted devices lacks the device",
    "tun0",
    setup="""
        tun
        chain inet fw input input 0
        nft 'add set inet fw trusted { type ifname; elements = { "lo", "br0", "wg0" }; }'
        rule inet fw input ct state established,related accept
        rule inet fw input iifname != @trusted counter drop
        ask_from g 10.0.0.1
        """,
    want="firewall|nftables|chain|trusted",
    probe="to_host",
    repair="nft 'add element inet fw trusted { \"tun0\" }'",
    fix=True, reason=NETFILTER)

broken(
    "a verdict map of device pairs has no element for this pair",
    "tun0",
    setup="""
        forward; tun; far return
        chain inet fw forward forward 0 drop
        nft 'add map inet fw pairs { type ifname . ifname : verdict; }'
        nft 'add element inet fw pairs { "br0" . "v0" : accept, "v0" . "tun0" : accept }'
        rule inet fw forward iifname . oifname vmap @pairs
        ask_from g 203.0.113.2
        """,
    want="forward|firewall|nftables|chain|pairs",
    probe="to_far",
    repair="nft 'add element inet fw pairs { \"tun0\" . \"v0\" : accept }'",
    fix=True, reason=NETFILTER)

broken(
    "a netdev hook on the device accepts the addresses of another network alone",
    "tun0",
    setup="""
        tun
        nft add table netdev guard
        nft 'add chain netdev guard spoof { type filter hook ingress device "tun0" priority -500; }'
        rule netdev guard spoof ip saddr != 192.168.0.0/16 counter drop
        ask_from g 10.0.0.1
        """,
    want="netdev|ingress|nftables|spoof",
    probe="to_host",
    repair="nft delete table netdev guard",
    fix=True, reason=NETFILTER)

broken(
    "a filter against false MAC addresses in the bridge family knows the previous address",
    "tap0",
    setup="""
        two_taps
        nft add table bridge nofilter
        nft 'add chain bridge nofilter spoof { type filter hook prerouting priority -300; }'
        rule bridge nofilter spoof iifname tap0 ether saddr != 52:54:00:12:34:56 counter drop
        ask_from g 10.0.0.3
        """,
    want="bridge (family|table|nofilter)|nftables|firewall|spoof",
    probe="g_to_h",
    repair="nft delete table bridge nofilter",
    fix=True, reason=NETFILTER, source="containernetworking/plugins#1141")

broken(
    "a kill switch permits another device: nothing leaves through this one",
    "tun0",
    setup="""
        tun
        chain inet killswitch output output 0 drop
        rule inet killswitch output oifname { lo, wg0 } accept
        rule inet killswitch output ip daddr 198.51.100.5 udp dport 51820 accept
        ask 10.0.0.2
        """,
    want="output|firewall|nftables|killswitch",
    probe="to_guest",
    repair="nft add rule inet killswitch output oifname tun0 accept",
    fix=True, reason=NETFILTER, source="RaspAP/raspap-webgui#1623")

broken(
    "the firewall drops by reverse path (fib), as firewalld does for IPv6",
    "tun0",
    setup="""
        tun6; veth
        ip -6 route add fd99::/64 dev v0; ip -n g addr add fd99::7/64 dev lo
        chain inet firewalld filter_PREROUTING prerouting -290
        rule inet firewalld filter_PREROUTING meta nfproto ipv6 fib saddr . mark . iif oif missing counter drop
        ask_from g -I fd99::7 fd00::1
        """,
    want="fib|reverse path|rpfilter|filter_PREROUTING|firewall",
    probe="more_echos6 ip netns exec g ping -c1 -W1 -I fd99::7 fd00::1",
    repair="nft flush ruleset",
    reason=NETFILTER, source="firewalld/firewalld#1203")

broken(
    "the firewall drops neighbour discovery on a tap: IPv6 finds no guest",
    "tap0",
    setup="""
        tap6
        chain ip6 filter INPUT input 0 drop
        rule ip6 filter INPUT ct state established,related accept
        rule ip6 filter INPUT meta l4proto tcp accept
        rule ip6 filter INPUT icmpv6 type echo-request accept
        ip neigh flush dev tap0
        ask fd00::2
        """,
    want="neighbou?r|nd-|firewall|INPUT",
    probe="to_guest6",
    repair="nft add rule ip6 filter INPUT icmpv6 type '{ nd-neighbor-solicit, nd-neighbor-advert }' accept",
    reason=NETFILTER)

broken(
    "a counter proves that the firewall drops the DNS queries of guests",
    "tun0 --from 10.0.0.2 --to 10.0.0.1 --proto udp --port 53",
    setup="""
        tun
        S server 10.0.0.1 53 &
        chain inet filter input input 0
        rule inet filter input udp dport 53 iifname != eth0 counter drop
        ip netns exec g "$PY" "$HELPER" send 10.0.0.1 53
        """,
    want="input|firewall|nftables|53",
    probe='more_udp ip netns exec g "$PY" "$HELPER" send 10.0.0.1 53',
    repair="nft flush ruleset",
    fix=True, reason=NETFILTER)

broken(
    "marked packets are dropped: the mark comes from a chain before",
    "tun0",
    setup="""
        forward; tun; far return
        chain inet mangle prerouting prerouting -150
        rule inet mangle prerouting iifname tun0 meta mark set 0x29a
        chain inet filter forward forward 0
        rule inet filter forward meta mark 0x29a oifname v0 counter drop
        ask_from g 203.0.113.2
        """,
    want="forward|mark|firewall|nftables",
    probe="to_far",
    repair="nft flush ruleset",
    fix=True, reason=NETFILTER)

broken(
    "a table of iptables-legacy drops what the rules do not name",
    "tun0",
    setup="""
        tun
        iptables-legacy -A INPUT -i lo -j ACCEPT
        iptables-legacy -A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
        iptables-legacy -P INPUT DROP
        ask_from g 10.0.0.1
        """,
    want="firewall|iptables-legacy|INPUT",
    probe="to_host",
    requires="iptables-legacy -S >/dev/null",
    repair="iptables-legacy -I INPUT -i tun0 -j ACCEPT",
    fix=True, reason=NETFILTER)
