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

broken(
    "the guest has the MAC address of another port of its bridge (a pod network taken over for a VM)",
    "tap0",
    setup="""
        bridge_up
        ip link set br0 address 02:00:00:00:00:01; ip addr add 10.0.0.1/24 dev br0
        veth; ip link set v0 master br0
        port tap0; guest g tap0 tap 10.0.0.2/24
        ip -n g link set eth0 address $(mac_of v0)
        ask_from g 10.0.0.1
        """,
    want="(MAC|address|entry).*v0|v0.*(MAC|address|entry)",
    probe="to_host",
    repair="ip link set v0 address 02:00:00:00:00:77",
    fix=True, source="kubevirt/kubevirt#1620")

broken(
    "two guests have the same MAC address (a cloned image)",
    "tap0",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0
        ip -n h link set eth0 address $(guest_mac g)
        for n in g h; do ip netns exec $n ping -q -i0.1 10.0.0.1 >/dev/null & done
        sleep 1.2
        """,
    want=("(same|duplicate|both|two|also|moves?).*(MAC|lladdr|hardware address)"
          "|(MAC|lladdr).*(same|duplicate|both|two|also|moves)"),
    probe="g_to_h",
    repair="ip -n h link set eth0 address 02:00:00:00:00:33; ip -n g neigh flush all; ip -n h neigh flush all",
    source="utmapp/UTM#7035")

broken(
    "the network card has another name than in the bridge's configuration: the bridge has no port but the tap",
    "tap0",
    setup="""
        bridge_up; ip addr add 10.0.0.1/24 dev br0; ip route add default via 10.0.0.9; port tap0
        guest g tap0 tap 10.0.0.2/24; ip netns add lan; ip link add v0 type veth peer name eth0 netns lan
        ip -n lan addr add 10.0.0.9/24 dev eth0; ip -n lan link set eth0 up
        again ping -c1 -W1 10.0.0.9; ping -c1 -W1 10.0.0.9 || true
        wait_for "ip neigh show 10.0.0.9 | grep -q FAILED"
        """,
    want=r"no network card is a port of the bridge br0, only tap0, and the gateway 10\.0\.0\.9 does not answer",
    probe="ping -c1 -W1 10.0.0.9", fix=True, repair="ip link set v0 up master br0")
