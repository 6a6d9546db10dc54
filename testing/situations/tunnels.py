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
