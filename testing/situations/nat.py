"""Connection tracking, and translation of addresses."""

from table import broken, healthy

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

# A VPN daemon on UDP port 1194, a machine with a network of its own, and the nat chain for what arrives
SERVER = """
    far; forward; make_tun; S vpn tun0 1194 & attached tun0
    make_tap tap0 10.9.0.1/24; guest m tap0 tap 10.9.0.2/24 10.9.0.1; ip -n far route add 10.9.0.0/24 via 203.0.113.1
    client() { ip netns exec far "$PY" "$HELPER" vpn tun0 1194 203.0.113.1 & wait_for "ip -n far link show tun0"
      ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up; ask_from far 10.0.0.1; }
    TYPE=nat chain ip nat PREROUTING prerouting -100
"""

broken(
    "a range of UDP ports is for the machine that plays games, and the port of the VPN daemon is one of them",
    "tun0",
    setup=SERVER + "rule ip nat PREROUTING iifname v0 udp dport 1000-3000 dnat to 10.9.0.2; client",
    want=r"UDP port 1194 of the attached program elsewhere, to 10\.9\.0\.2: rule 1 of the chain ip nat PRE",
    level="error",
    probe="S forget; ip netns exec far ping -c1 -W1 10.0.0.1",
    repair="nft flush chain ip nat PREROUTING",
    fix=True)

healthy(
    "all ports but that of the VPN daemon are for a machine, and clients use the VPN",
    "tun0",
    setup=SERVER + """
        rule ip nat PREROUTING iifname v0 udp dport 1194 accept
        rule ip nat PREROUTING iifname v0 meta l4proto '{ tcp, udp }' counter dnat to 10.9.0.2
        ip netns exec far "$PY" "$HELPER" send 203.0.113.1 7000; client
        """,
    probe="ip netns exec far ping -c1 -W1 10.0.0.1")

healthy(
    "a second address is for a machine, and somebody tries the port of the VPN daemon there, which has no client yet",
    "tun0",
    setup=SERVER + """
        ip addr add 203.0.113.5/24 dev v0; rule ip nat PREROUTING ip daddr 203.0.113.5 counter dnat to 10.9.0.2
        for _ in 1 2 3; do ip netns exec far "$PY" "$HELPER" send 203.0.113.5 1194; done
        """,
    probe="ip netns exec far ping -c1 -W1 203.0.113.5")

healthy(
    "a machine has the VPN server of this port for everybody else, and answers; the daemon here is for itself",
    "tun0",
    setup=SERVER + """
        rule ip nat PREROUTING iifname v0 udp dport 1194 counter dnat to 10.9.0.2
        ip netns exec m "$PY" "$HELPER" echo 10.9.0.2 1194 & sleep 0.4
        ip netns exec far "$PY" "$HELPER" beat 203.0.113.1 1194 &
        """,
    probe="replied")

# A machine without a way to other networks, and a rule for packets to these that names no link
ANYWHERE = """
    forward; far; make_tap; ip route add default via 203.0.113.2
    TYPE=nat chain ip nat POSTROUTING postrouting 100
"""

broken(
    "the rule that translates the source for the Internet names no link, and also matches what the host sends to it",
    "tap0",
    setup=ANYWHERE + """
        guest g tap0 tap 10.0.0.2/24; wait_for to_guest
        rule ip nat POSTROUTING ip saddr 10.0.0.0/24 counter snat to 203.0.113.1; again to_guest; again to_host
        """,
    want=r"translates the source of packets of this host to 10\.0\.0\.2 from 10\.0\.0\.1 to 203\.0\.113\.1.*snat to",
    probe="to_guest",
    repair="nft flush chain ip nat POSTROUTING",
    fix=True)

healthy(
    "what the host sends to a machine has the address of the uplink, as a rule says, and the machine answers",
    "tap0",
    setup=ANYWHERE + """
        guest g tap0 tap 10.0.0.2/24 10.0.0.1
        rule ip nat POSTROUTING ip saddr 10.0.0.0/24 counter snat to 203.0.113.1; again to_guest; again to_host
        """,
    probe="to_guest && to_far")

healthy(
    "packets of this host and of others are masqueraded into the device, for a network that knows no way back",
    "tun0",
    setup="""
        forward; tun; far; ip -n g addr add 192.168.7.1/24 dev lo; ip route add 192.168.7.0/24 dev tun0
        ip -n far route add 192.168.7.0/24 via 203.0.113.1; ip -n g route del default
        TYPE=nat chain ip nat POSTROUTING postrouting 100; rule ip nat POSTROUTING oifname tun0 counter masquerade
        again ping -c1 -W1 192.168.7.1; again ip netns exec far ping -c1 -W1 192.168.7.1; again ping -c1 -W1 10.0.0.77
        """,
    probe="ip netns exec far ping -c1 -W1 192.168.7.1 && to_guest")

# A guest that is masqueraded, and knocks at a port behind the uplink, where a program listens; a rule before tracking
UNTRACKED = """
    forward; far; tun; ip route add default via 203.0.113.2; ip netns exec far "$PY" "$HELPER" listen_only 8443 &
    TYPE=nat chain ip nat POSTROUTING postrouting 100
    rule ip nat POSTROUTING ip saddr 10.0.0.0/24 oifname v0 counter masquerade
    chain ip raw PREROUTING prerouting -300; wait_for to_far
    knocks() { ip netns exec g "$PY" "$HELPER" knock 203.0.113.2 8443; }
"""
KNOCK = 'ip netns exec g "$PY" "$HELPER" knock 203.0.113.2 8443'

broken(
    "a rule of the raw table lets connections to a port past connection tracking, also those of the masqueraded guest",
    "tun0",
    setup=UNTRACKED + "rule ip raw PREROUTING tcp dport 8443 counter notrack; again knocks; again to_far",
    want=r"packets of the program.*8443 tcp, out of connection tracking.*raw PREROUTING.*notrack",
    probe=KNOCK,
    repair="nft flush chain ip raw PREROUTING",
    fix=True)

healthy(
    "connections to a port of this host are not tracked, and the guest is masqueraded at the same port of another",
    "tun0",
    setup=UNTRACKED + """
        rule ip raw PREROUTING ip daddr 203.0.113.1 tcp dport 8443 counter notrack
        S listen_only 8443 & again knocks; again to_far
        wait_for 'ip netns exec far "$PY" "$HELPER" knock 203.0.113.1 8443'
        """,
    probe=KNOCK + " && to_far")
