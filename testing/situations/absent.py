"""Programs that are elsewhere, or that could not attach."""

from table import broken

broken(
    "a program requests several queues of a single-queue tap, and goes on without it",
    "tap0",
    setup="""
        make_tap
        "$PY" -c '
import sys, time
sys.path.insert(0, sys.argv[1])
from helpers import open_device
try:
    open_device("tap0", "0x1102")
except OSError as e:
    print(e, flush=True)
time.sleep(60)' "$(dirname "$HELPER")" netdev=tap,ifname=tap0,queues=4 >/run/vmm.log &
        wait_for 'grep -q "Invalid argument" /run/vmm.log'
        ask 10.0.0.2
        """,
    want="single-queue",
    probe="attached tap0",
    repair="ip link del tap0; ip tuntap add dev tap0 mode tap multi_queue; ip link set tap0 up; S hold tap0 0x1102 &",
    source="microvm-nix/microvm.nix#300")

broken(
    "the daemon runs in a network namespace of its own, with a tun of the same name",
    "tun0",
    setup="""
        make_tun; ip netns add c; ip netns exec c "$PY" "$HELPER" hold tun0 0x1001 &
        wait_for "ip -n c link show tun0"; ask 10.0.0.2
        """,
    want="another network namespace",
    probe="attached tun0",
    repair="ip netns pids c | xargs -r kill; S hold tun0 0x1001 &",
    source="dperson/openvpn-client#128")
