"""Causes that single packets show: messages to the link that nobody takes, packets whose hops are used up, and two
hosts with one address. Each has a host that works."""

from table import broken, healthy

# A provider whose packets have a TTL of 1
TETHERED = """
    far return; forward; tap
    ip netns exec far nft 'add table ip p; add chain ip p o { type filter hook output priority mangle; }'
    ip netns exec far nft 'add rule ip p o ip daddr != 203.0.113.1 ip ttl set 1'
    again to_far; again to_host
"""

broken(
    "the provider sends packets with a TTL of 1, which this host does not forward",
    "tap0",
    setup=TETHERED + "wait_for 'ping -c1 -W1 203.0.113.2'",
    want=r"answers of 203\.0\.113\.2 to the program arrive through v0 with a TTL of 1",
    probe="to_far",
    repair="nft 'add table ip m; add chain ip m p { type filter hook prerouting priority mangle; }'; "
           "nft add rule ip m p iifname v0 ip ttl set 65",
    fix=True, reason="IP_INHDR", source="khadas/linux#37")

healthy(
    "the provider sends packets with a TTL of 1, and this host sets a larger one",
    "tap0",
    setup=TETHERED + """
        nft 'add table ip m; add chain ip m p { type filter hook prerouting priority mangle; }'
        nft add rule ip m p iifname v0 ip ttl set 65
        """,
    probe="to_far")

broken(
    "the provider sends IPv6 packets with a hop limit of 1, which this host does not forward",
    "tap0",
    setup="""
        IPV6=yes; far; tap6; sysctl -qw net.ipv6.conf.all.forwarding=1; ip -n g route add default via fd00::1
        ip netns exec far nft 'add table ip6 p; add chain ip6 p o { type filter hook output priority mangle; }'
        ip netns exec far nft 'add rule ip6 p o icmpv6 type echo-reply ip6 hoplimit set 1'; again to_far6
        """,
    want=r"answers of 2001:db8::2 to the program arrive through v0 with a hop limit of 1",
    probe="to_far6",
    repair="nft 'add table ip6 m; add chain ip6 m p { type filter hook prerouting priority mangle; }'; "
           "nft add rule ip6 m p iifname v0 icmpv6 type echo-reply ip6 hoplimit set 65",
    fix=True, reason="IP_INHDR")
