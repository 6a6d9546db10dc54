"""Connection tracking, and translation of addresses."""

from table import broken

broken(
    "the requests take another way: the answers of the guest are invalid for connection tracking, and dropped",
    "tun0",
    setup="""
        forward; tun; far
        ip link add w0 netns far type veth peer name w0 netns g
        ip -n far addr add 10.99.0.1/30 dev w0; ip -n far link set w0 up
        ip -n g addr add 10.99.0.2/30 dev w0; ip -n g link set w0 up
        ip -n far route add 10.0.0.0/24 via 10.99.0.2
        chain ip filter FORWARD forward 0
        rule ip filter FORWARD ct state related,established counter accept
        rule ip filter FORWARD ct state invalid counter drop
        rule ip filter FORWARD iifname tun0 counter accept
        ask_from far -I 203.0.113.2 10.0.0.2
        """,
    want="invalid",
    probe="ip netns exec far ping -c1 -W1 -I 203.0.113.2 10.0.0.2",
    repair="nft insert rule ip filter FORWARD iifname tun0 accept",
    fix=True, reason="NETFILTER")

broken(
    "a connection of the guest is older than the rule for masquerading, and leaves without translation",
    "tun0",
    setup="""
        forward; tun; far; ip route add default via 203.0.113.2
        ip netns exec far "$PY" "$HELPER" echo 203.0.113.2 51820 &
        chain ip filter FORWARD forward 0
        rule ip filter FORWARD ct state related,established counter accept
        rule ip filter FORWARD udp dport 51820 counter accept
        TYPE=nat chain ip nat POSTROUTING postrouting 100
        ip netns exec g "$PY" "$HELPER" beat 203.0.113.2 51820 &
        wait_for 'nft list chain ip filter FORWARD | grep "51820 counter packets [1-9]"'
        rule ip nat POSTROUTING ip saddr 10.0.0.0/24 oifname v0 masquerade
        sleep 0.6
        """,
    want=(r"conntrack.*(entry|entries|old|stale|before)|tracked.*(before|older|without)"
          r"|(connection|flow)s?\b.*(older|before|without (NAT|translation|masquerad))"),
    probe="replied",
    repair="S forget", source="moby/moby#44742")

broken(
    "Docker leads the guests' DNS to a container that is stopped",
    "tun0 --from 10.0.0.2 --to 10.0.0.1 --proto udp --port 53",
    setup="""
        forward; tun; S server 10.0.0.1 53 &
        bridge_up docker0; ip addr add 172.17.0.1/16 dev docker0
        TYPE=nat chain ip nat PREROUTING prerouting -100; nft add chain ip nat DOCKER
        rule ip nat PREROUTING fib daddr type local counter jump DOCKER
        rule ip nat DOCKER iifname != docker0 udp dport 53 counter dnat to 172.17.0.2:53
        ip netns exec g "$PY" "$HELPER" send 10.0.0.1 53
        """,
    want=r"172\.17\.0\.2|dnat|nat DOCKER",
    probe='more_udp ip netns exec g "$PY" "$HELPER" send 10.0.0.1 53',
    repair="nft flush chain ip nat DOCKER")

broken(
    "the source is translated to an address that the uplink no longer has (a new lease)",
    "tun0",
    setup="""
        forward; tun; far; ip route add default via 203.0.113.2
        TYPE=nat chain ip nat POSTROUTING postrouting 100
        rule ip nat POSTROUTING ip saddr 10.0.0.0/24 oifname v0 counter snat to 203.0.113.9
        ask_from g 203.0.113.2
        """,
    want=r"203\.0\.113\.9|snat",
    probe="to_far",
    repair="ip addr add 203.0.113.9/32 dev v0",
    fix=True)
