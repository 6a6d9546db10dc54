"""Ports of bridges."""

from table import broken

broken(
    "the port waits for STP (listening, 15 s)",
    "tap0",
    setup="""
        bridge_up br0 stp_state 1 forward_delay 1500
        ip addr add 10.0.0.1/24 dev br0; port tap0
        guest g tap0 tap 10.0.0.2/24; sleep 1
        """,
    want="STP|spanning|listening|learning|forward.delay",
    probe="to_host",
    repair="""
        ip link set br0 type bridge stp_state 0; ip link set tap0 nomaster
        ip link set tap0 master br0
        """,
    reason="STP")

broken(
    "the bridge port is disabled by hand (bridge link set state 0)",
    "tap0",
    setup="""
        bridge_up
        ip addr add 10.0.0.1/24 dev br0; port tap0
        guest g tap0 tap 10.0.0.2/24; sleep 1.5
        bridge link set dev tap0 state 0
        """,
    want="block|disabled|port state|not forwarding",
    probe="to_host",
    repair="bridge link set dev tap0 state 3",
    fix=True,
    reason="STP|BRIDGE")

broken(
    "the host's address stayed on the uplink when that joined the bridge",
    "tap0",
    setup="""
        bridge_up
        ip netns add far; ip -n far link set lo up
        ip link add v0 type veth peer name eth0 netns far
        ip addr add 10.0.0.1/24 dev v0; ip link set v0 master br0 up
        ip -n far addr add 10.0.0.9/24 dev eth0; ip -n far link set eth0 up
        port tap0; guest g tap0 tap 10.0.0.2/24; to_host || true
        """,
    want="v0",
    probe="to_host",
    repair="ip addr del 10.0.0.1/24 dev v0; ip addr add 10.0.0.1/24 dev br0",
    fix=True)
