"""Packets between two other networks, one of them behind the device, and those of the program itself."""

from table import broken, healthy

NETFILTER = "NETFILTER"

broken(
    "the clients of one VPN go to an office through another, which knows no route back to them",
    "tun0",
    setup="""
        forward; tun; make_tun tun1 10.8.0.2/24; guest office tun1 tun 10.8.0.1/24
        ip -n office addr add 192.168.50.1/24 dev lo; ip route add 192.168.50.0/24 via 10.8.0.1
        ip netns exec g ping -q -c8 -i0.1 -W1 192.168.50.1 || true
        """,
    want=(r"\btun1\b.*(masquerad|\bNAT\b|(way|route) back)|(masquerad|\bNAT\b|(way|route) back).*\btun1\b"),
    probe="ip netns exec g ping -c1 -W1 192.168.50.1",
    repair="ip -n office route add 10.0.0.0/24 via 10.8.0.2",
    fix=True)

healthy(
    "the clients of one VPN go to an office through another, which has a route back to them",
    "tun0",
    setup="""
        forward; tun; make_tun tun1 10.8.0.2/24; guest office tun1 tun 10.8.0.1/24
        ip -n office addr add 192.168.50.1/24 dev lo; ip route add 192.168.50.0/24 via 10.8.0.1
        ip -n office route add 10.0.0.0/24 via 10.8.0.2
        ip netns exec g ping -q -c8 -i0.1 -W1 192.168.50.1
        """,
    probe="ip netns exec g ping -c1 -W1 192.168.50.1")

healthy(
    "local IPv6 addresses are masqueraded as the IPv4 ones are",
    "tun0",
    setup="""
        forward; sysctl -qw net.ipv6.conf.all.forwarding=1
        tun6; far; ip -n far route del fd00::/64; ip -n g route add default via fd00::1
        for f in ip ip6; do TYPE=nat chain $f nat POSTROUTING postrouting 100; done
        rule ip nat POSTROUTING ip saddr 10.0.0.0/24 oifname v0 counter masquerade
        rule ip6 nat POSTROUTING ip6 saddr fd00::/64 oifname v0 counter masquerade
        ip netns exec g ping -q -c8 -i0.1 -W1 2001:db8::2
        """,
    probe="to_far6 && to_far")

broken(
    "the IPv6 network of a VPN is masqueraded on another device than the one of its default route",
    "tun0",
    setup="""
        forward; sysctl -qw net.ipv6.conf.all.forwarding=1
        tun6; far; ip -n far route del fd00::/64; ip -n g route add default via fd00::1
        ip -6 route add default via 2001:db8::2
        ip link add eth9 type veth peer name eth8; ip link set eth9 up; ip link set eth8 up
        TYPE=nat chain ip6 nat POSTROUTING postrouting 100
        rule ip6 nat POSTROUTING ip6 saddr fd00::/64 oifname eth9 counter masquerade
        ip netns exec g ping -q -c8 -i0.1 -W1 2001:db8::2 || true
        """,
    want=r"fd00::.*\bv0\b",
    probe="to_far6",
    repair="nft add rule ip6 nat POSTROUTING oifname v0 masquerade",
    fix=True)

broken(
    "a rule of the bridge drops what one guest sends to the other",
    "tap0 --from 10.0.0.2 --to 10.0.0.3",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0; ask 10.0.0.2; ask 10.0.0.3
        chain bridge f forward forward 0
        rule bridge f forward iifname tap0 oifname tap1 ip protocol icmp counter drop
        ask_from g 10.0.0.3
        """,
    want=r"\bbridge f forward\b",
    probe="g_to_h",
    repair="nft flush chain bridge f forward",
    fix=True, reason=NETFILTER)

healthy(
    "guests of one bridge reach one another, although this host forwards nothing for them",
    "tap0 --from 10.0.0.2 --to 10.0.0.3",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0; ask 10.0.0.2; ask 10.0.0.3
        sysctl -qw net.bridge.bridge-nf-call-iptables=0 || true
        chain ip filter FORWARD forward 0 drop
        rule ip filter FORWARD iifname br0 counter reject
        ask_from g 10.0.0.3
        """,
    probe="g_to_h")
