"""Tunnels of this host beside the device, and the way of the program's own packets to the other end of its tunnel."""

from table import broken, healthy

# branch TEMPLATE...: a guest, another network behind the far end, and an IPsec policy for the way there
BRANCH = """
    forward; tap; far return; ip -n far addr add 198.51.100.9/32 dev lo; ip route add default via 203.0.113.2
    branch() { ip xfrm policy add dir out src 10.0.0.0/24 dst 198.51.100.0/24 priority 375423 \\
      tmpl proto esp "$@"; }
    wait_for to_far; again ip netns exec g ping -c1 -W1 198.51.100.9; again to_far
"""

broken(
    "an IPsec policy that a tunnel left covers another network, to which the guest sends through this host",
    "tap0",
    setup=BRANCH + "branch src 203.0.113.1 dst 203.0.113.2 reqid 1 mode tunnel",
    want=r"IPsec policy requires that packets of the program to 198\.51\.100\.9 .*no state",
    level="error",
    probe="ip netns exec g ping -c1 -W1 198.51.100.9",
    repair="ip xfrm policy flush",
    fix=True, reason="XFRM", requires="ip xfrm policy")

healthy(
    "an IPsec policy encrypts what the guest sends to another network if it can, and otherwise lets it pass",
    "tap0",
    setup=BRANCH + "branch mode transport level use",
    probe="ip netns exec g ping -c1 -W1 198.51.100.9", requires="ip xfrm policy")

# server: starts the other end of the tunnel, which is 198.51.100.9 too
DAEMON = """
    far; ip -n far addr add 198.51.100.9/32 dev lo; ip route add default via 203.0.113.2
    server() { ip netns exec far "$PY" "$HELPER" vpn tun0 1194 & wait_for "ip -n far link show tun0"
      ip -n far addr add 10.0.0.2/24 dev tun0; ip -n far link set tun0 up; }
    make_tun
"""

broken(
    "nothing listens at the other end of the tunnel: it refuses the packets of the VPN daemon",
    "tun0",
    setup=DAEMON + "S vpn tun0 1194 203.0.113.2 & attached tun0; again to_guest",
    want=r"203\.0\.113\.2 refuses what the attached program sends to its UDP port 1194: ICMP port unreachable",
    level="error",
    probe="to_guest",
    repair="server")

broken(
    "the route to the VPN server is one through the gateway of another network, which nobody has here",
    "tun0",
    setup=DAEMON + """
        server; S vpn tun0 1194 198.51.100.9 & attached tun0
        ip route add 198.51.100.9/32 via 203.0.113.254; again to_guest
        """,
    want=r"packets of the attached program are lost.*203\.0\.113\.254.*198\.51\.100\.9",
    level="error",
    probe="to_guest",
    repair="ip route replace 198.51.100.9/32 via 203.0.113.2",
    fix=True)

healthy(
    "the route to the VPN server is one of its own, through the default gateway",
    "tun0",
    setup=DAEMON + """
        server; S vpn tun0 1194 198.51.100.9 & attached tun0; wait_for to_guest
        ip route add 198.51.100.9/32 via 203.0.113.2; again to_guest
        """,
    probe="to_guest")

broken(
    "the daemon listens on the old address of this host",
    "tun0",
    setup="""
        far; make_tun tun0 10.8.0.1/24; ip addr add 203.0.113.77/24 dev v0
        S listen tun0 443 203.0.113.77 & attached tun0; ip addr del 203.0.113.77/24 dev v0
        """,
    want=r"203\.0\.113\.77.*TCP port 443",
    level="warning",
    probe="ip netns exec far \"$PY\" \"$HELPER\" knock 203.0.113.1 443",
    reason="")
