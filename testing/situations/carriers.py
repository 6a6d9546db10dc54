"""Programs that carry the packets of a device, or take those of other hosts."""

import os
import select
import socket

from helpers import open_device

IP_TRANSPARENT = 19
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


HELPERS = {"carry": carry, "transparent": transparent}
