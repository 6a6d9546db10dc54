"""Bridges whose way to other hosts is broken, and taps that are no port of their bridge; each with healthy twins."""

from table import broken, healthy

broken(
    "the tap of a machine left the bridge, which has other machines",
    "tap0",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0; ask_from g 10.0.0.1
        ip link set tap0 nomaster; ask_from g 10.0.0.1
        """,
    want=r"bridge.*\bbr0\b|\bbr0\b.*bridge",
    probe="to_host",
    repair="ip link set tap0 master br0",
    fix=True, needfix="br0")

broken(
    "the tap was never added to a bridge, and has no address",
    "tap0",
    setup="""
        ip link add br7 type bridge; ip link set br7 up; ip addr add 10.0.0.1/24 dev br7
        port tap1 br7; guest h tap1 tap 10.0.0.3/24
        ip tuntap add dev tap0 mode tap user nobody; ip link set tap0 up; guest g tap0 tap 10.0.0.2/24
        ask_from g 10.0.0.1
        """,
    want=r"\bbridge\b",
    probe="to_host",
    repair="ip link set tap0 master br7",
    needfix="br7")

healthy(
    "Kata Containers: traffic control joins the tap of a machine with the container's link, beside an empty docker0",
    "tap0",
    setup="""
        bridge_up docker0; ip addr add 172.17.0.1/16 dev docker0
        far; ip addr flush dev v0
        ip tuntap add dev tap0 mode tap user nobody; ip link set tap0 up; guest g tap0 tap 203.0.113.50/24
        for d in v0:tap0 tap0:v0; do
          tc qdisc add dev ${d%:*} ingress
          tc filter add dev ${d%:*} parent ffff: protocol all u32 match u32 0 0 \\
            action mirred egress redirect dev ${d#*:}
        done
        ask_from g 203.0.113.2
        """,
    probe="to_far")

healthy(
    "a tap without address whose macvlan has it, beside an empty virbr0",
    "tap0",
    setup="""
        bridge_up virbr0; ip addr add 192.168.122.1/24 dev virbr0
        ip tuntap add dev tap0 mode tap user nobody; ip link set tap0 up; guest g tap0 tap 10.0.0.2/24
        ip link add link tap0 name m0 type macvlan mode bridge; ip addr add 10.0.0.1/24 dev m0; ip link set m0 up
        ask_from g 10.0.0.1
        """,
    probe="to_host", requires="ip link add v0 type veth peer name v1; ip link add link v0 name m0 type macvlan")
