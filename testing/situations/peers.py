"""The other end of a tunnel: it refuses, it is silent, or no packet reaches it."""

from table import broken, healthy

# server: starts the other end of the tunnel. 198.51.100.9 is a host behind it, 203.0.113.2 its own address.
ENDS = """
    far; ip -n far addr add 198.51.100.9/32 dev lo; ip route add default via 203.0.113.2
    server() { ip netns exec far "$PY" "$HELPER" vpn tun0 1194 & wait_for "ip -n far link show tun0"
      ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up; }
    make_tun
"""

healthy(
    "the other end of the tunnel takes what the VPN daemon sends to keep it open, and is silent",
    "tun0",
    setup=ENDS + "server; S keep tun0 1194 203.0.113.2 & attached tun0; wait_for to_guest; sleep 0.3",
    probe="to_guest")

healthy(
    "an idle tunnel: the other end is silent, and nothing has passed the device",
    "tun0",
    setup=ENDS + "server; S keep tun0 1194 203.0.113.2 & attached tun0; sleep 0.3")

healthy(
    "the other end of the tunnel answers, and a host behind it does not",
    "tun0",
    setup=ENDS + """
        server; S vpn tun0 1194 203.0.113.2 & attached tun0; wait_for to_guest
        again to_guest; again ping -c1 -W1 10.0.0.44
        """,
    probe="to_guest")

healthy(
    "a VPN daemon with two peers: one answers, and nothing listens at the other",
    "tun0",
    setup=ENDS + """
        server; S keep tun0 1194 203.0.113.2 198.51.100.9:1195 & attached tun0; wait_for to_guest; again to_guest
        """,
    probe="to_guest")

# A router on the way, whose firewall rejects what is not for its networks.
ROUTED = """
    far; ip netns add net; ip link add w0 netns far type veth peer name eth0 netns net
    ip -n far addr add 198.51.100.1/24 dev w0; ip -n far link set w0 up
    ip netns exec far sysctl -qw net.ipv4.ip_forward=1
    ip -n net addr add 198.51.100.9/24 dev eth0; ip -n net link set eth0 up
    ip -n net route add default via 198.51.100.1
    ip route add default via 203.0.113.2; make_tun
    ip netns exec net "$PY" "$HELPER" vpn tun0 1194 & wait_for "ip -n net link show tun0"
    ip -n net addr add 10.0.0.2/24 dev tun0; ip -n net link set tun0 up
    reject() { ip netns exec far nft "add table ip f; add chain ip f way { type filter hook forward priority 0; }
      add rule ip f way $1 reject with icmp admin-prohibited"; }
    S vpn tun0 1194 198.51.100.9 & attached tun0
"""

broken(
    "the firewall of a router on the way rejects the packets of the VPN daemon",
    "tun0",
    setup=ROUTED + "reject 'udp dport 1194'; again to_guest; sleep 0.5",
    want=r"203\.0\.113\.2 refuses what the attached program sends to 198\.51\.100\.9:1194: ICMP prohibited by a",
    level="error",
    probe="to_guest",
    repair="ip netns exec far nft flush ruleset")

healthy(
    "the firewall of a router on the way rejects other packets, and lets those of the VPN daemon pass",
    "tun0",
    setup=ROUTED + "reject 'icmp type echo-request'; again to_guest; again ping -c1 -W1 198.51.100.9",
    probe="to_guest")

broken(
    "the cable to the VPN server is out",
    "tun0",
    setup=ENDS + """
        server; S vpn tun0 1194 198.51.100.9 & attached tun0; ip -n far link set eth0 down; again to_guest; sleep 0.3
        """,
    want="v0, which has no carrier|v0 has no carrier",
    probe="to_guest",
    repair="ip -n far link set eth0 up; ip -n far route replace default via 203.0.113.1")

# A daemon that carries the tunnel in TCP. It creates /run/connected.
DIAL = ENDS + """
    chain_far() { ip netns exec far nft "add table ip f; add chain ip f i { type filter hook input priority 0; }"; }
    ip netns exec far "$PY" "$HELPER" listen_only 443 & chain_far; sleep 0.3
"""

broken(
    "a firewall of the VPN server drops the TCP connection of the daemon",
    "tun0",
    setup=DIAL + """
        ip netns exec far nft add rule ip f i tcp dport 443 drop
        S dial tun0 443 203.0.113.2 & attached tun0; again to_guest; sleep 3.5
        """,
    want=r"203\.0\.113\.2 does not answer the attached program, which tries to connect to its TCP port 443",
    level="warning",
    probe="test -e /run/connected",
    repair="ip netns exec far nft flush chain ip f i")

healthy(
    "the daemon has its TCP connection to the VPN server, which sends nothing, and nobody uses the tunnel",
    "tun0",
    setup=DIAL + "S dial tun0 443 203.0.113.2 & attached tun0",
    probe="test -e /run/connected")

# An IPsec policy for the host that is the VPN server.
POLICY = ENDS + """
    server; S carry tun0 1194 203.0.113.2 & attached tun0
    policy() { ip xfrm policy add dir out src 203.0.113.1/32 dst 203.0.113.2/32 priority 375423 tmpl proto esp "$@"; }
"""

broken(
    "an IPsec policy that a tunnel left covers the VPN server",
    "tun0",
    setup=POLICY + "policy src 203.0.113.1 dst 203.0.113.2 reqid 1 mode tunnel; again to_guest; sleep 0.5",
    want=r"IPsec policy requires that packets of the attached program .* are encrypted, and no state",
    level="error",
    probe="to_guest",
    repair="ip xfrm policy flush",
    fix=True, requires="ip xfrm policy")

healthy(
    "an IPsec policy encrypts what the VPN daemon sends if it can, and otherwise lets it pass",
    "tun0",
    setup=POLICY + "policy mode transport level use; wait_for to_guest; again to_guest",
    probe="to_guest", requires="ip xfrm policy")
