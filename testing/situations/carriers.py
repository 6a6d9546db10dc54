"""Programs that carry the packets of a device, or take those of other hosts."""

import array
import fcntl
import os
import select
import socket
import struct
import time

from helpers import copy, enter, open_device

IP_TRANSPARENT = 19
TUNSETOFFLOAD, TUN_F_CSUM = 0x400454D0, 1
SIOCETHTOOL, ETHTOOL_STXCSUM = 0x8946, 0x17
DISCOVER = {socket.AF_INET: (socket.IPPROTO_IP, 10), socket.AF_INET6: (socket.IPPROTO_IPV6, 23)}


def carry(device, port, server="", whole=""):
    """Carries the packets of a tun in UDP: to the server alone, or to who sent last. whole: without fragments."""
    f = open_device(device, "0x1001")
    family = socket.AF_INET if server and ":" not in server else socket.AF_INET6
    s = socket.socket(family, socket.SOCK_DGRAM)
    if whole:
        for at in DISCOVER.values() if family == socket.AF_INET6 else [DISCOVER[family]]:
            s.setsockopt(*at, 2)  # IP_PMTUDISC_DO
    peer = None
    if server:
        s.connect((server, int(port)))
    else:
        s.bind(("", int(port)))
    while True:
        for ready in select.select([f, s], [], [])[0]:
            try:
                if ready == s:
                    data, sender = s.recvfrom(70000)
                    peer = None if server else sender
                    os.write(f, data)
                    continue
                data = os.read(f, 70000)
                if server:
                    s.send(data)
                elif peer:
                    s.sendto(data, peer)
            except OSError:  # the packet is too long, or there is no way
                pass


def keep(device, port, server, *more):
    """Carries the packets of a tun in UDP to the server, and sends nothing to it and to more ends each 0.4 s."""
    f = open_device(device, "0x1001")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", int(port)))
    ends = [(server, int(port))] + [(a, int(p)) for a, p in (other.split(":") for other in more)]
    due = 0.0
    while True:
        try:
            if time.monotonic() >= due:
                due = time.monotonic() + 0.4
                for end in ends:
                    s.sendto(b"", end)
            for ready in select.select([f, s], [], [], 0.1)[0]:
                if ready == f:
                    s.sendto(os.read(f, 70000), ends[0])
                else:
                    os.write(f, s.recv(70000))
        except OSError:  # the device is down
            time.sleep(0.01)


def dial(device, port, server):
    """Holds a tun, and connects to the server; /run/connected says that it has."""
    f = open_device(device, "0x1001")
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((server, int(port)))
    waits = [s]
    while True:
        ready, able, _ = select.select([f], waits, [])
        if ready:
            os.read(f, 70000)
        if able and s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
            waits = []
            open("/run/connected", "w").close()


def offload(device, flags):
    """Leaves the checksums of packets to the programs that attach, and leaves the device."""
    fcntl.ioctl(open_device(device, flags), TUNSETOFFLOAD, TUN_F_CSUM)


def checksums(device, value):
    """Does what ethtool -K DEV tx VALUE does."""
    asked = array.array("B", struct.pack("II", ETHTOOL_STXCSUM, value == "on"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, SIOCETHTOOL, struct.pack("16sP16x", device.encode(), asked.buffer_info()[0]))


def headers(device, namespace, guest):
    """Joins a tap with one in another namespace, with the virtio headers of both."""
    f = open_device(device, "0x5002")
    enter(namespace)
    copy(f, open_device(guest, "0x5002"))


def transparent(port):
    """Answers TCP connections to other hosts as a transparent proxy does."""
    s = socket.socket()
    s.setsockopt(socket.SOL_IP, IP_TRANSPARENT, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("0.0.0.0", int(port)))
    s.listen()
    while True:
        with s.accept()[0] as c:
            c.sendall(b"hello")


HELPERS = {"carry": carry, "keep": keep, "dial": dial, "offload": offload, "checksums": checksums,
           "headers": headers, "transparent": transparent}
