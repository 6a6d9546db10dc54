"""Programs that announce themselves to their link, or wait for those that do."""

import socket
import struct
import time


def solicit(device):
    """Asks for IPv6 routers each 0.3 s."""
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    while True:
        try:
            s.sendto(struct.pack(">BBHI", 133, 0, 0, 0), ("ff02::2", 0, 0, socket.if_nametoindex(device)))
        except OSError:  # there is no link-local address yet
            pass
        time.sleep(0.3)


HELPERS = {"solicit": solicit}
