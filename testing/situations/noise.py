"""Healthy hosts whose packets look like those of a host that does not work."""

from table import healthy

healthy(
    "a router of the bridge forwards some packets of a guest to this host",
    "tap0",
    setup="""
        bridge_up; ip addr add 10.0.0.1/24 dev br0; ip addr add 10.0.1.1/24 dev br0; port tap0; port tap1
        guest g tap0 tap 10.0.0.2/24 10.0.0.254; guest r tap1 tap 10.0.0.254/24; ip -n r addr add 10.0.1.254/24 dev eth0
        for c in all eth0; do ip netns exec r sysctl -qw net.ipv4.conf.$c.send_redirects=0; done
        ip netns exec r sysctl -qw net.ipv4.ip_forward=1
        for a in 10.0.0.1 10.0.1.1; do ip netns exec g ping -q -i0.1 -c400 $a >/dev/null & done
        sleep 0.5; ip neigh flush dev br0
        """,
    probe="to_host")

healthy(
    "a guest has two links in one bridge, and answers ARP for both addresses through each",
    "tap1",
    setup="""
        bridge_up; ip addr add 10.0.0.1/24 dev br0; port tap0; port tap1; guest g tap0 tap 10.0.0.2/24
        S relay tap1 tap g eth1 & wait_for "ip -n g link show eth1"
        ip -n g addr add 10.0.0.3/24 dev eth1; ip -n g link set eth1 up; attached tap1
        again ping -c1 -W1 10.0.0.2; again ping -c1 -W1 10.0.0.3; again ip neigh flush dev br0; sleep 1
        """,
    probe="to_guest")

healthy(
    "frames of a VLAN have the address of another guest of the bridge",
    "tap0",
    setup="""
        bridge_up; ip addr add 10.0.0.1/24 dev br0; port tap0; port tap1; guest g tap0 tap 10.0.0.2/24
        "$PY" -c '
import os, sys, time
sys.path.insert(0, sys.argv[1])
from helpers import open_device, packet
f, p = open_device("tap1", "0x1002"), packet("frame:echo:10.0.0.2:10.0.0.255")
while True:
    os.write(f, p[:12] + bytes((0x81, 0, 0, 5)) + p[12:])
    time.sleep(0.05)' "$(dirname "$HELPER")" & attached tap1
        ip netns exec g ping -q -i0.1 -c400 10.0.0.1 >/dev/null & sleep 0.5
        """,
    probe="to_host")
