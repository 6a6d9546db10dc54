"""Programs that announce themselves to their link, or wait for those that do."""

import socket
import struct
import sys
import time

LLDP, OUTGOING = 0x88CC, 4


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


def lldp(device):
    """Announces itself by LLDP each 0.3 s."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((device, 0))
    mac = s.getsockname()[4]
    values = b"\x02\x07\x04" + mac + b"\x04\x03\x05e0" + b"\x06\x02\0\x78" + bytes(40)
    while True:
        s.send(b"\x01\x80\xc2\0\0\x0e" + mac + struct.pack(">H", LLDP) + values)
        time.sleep(0.3)


def neighbour(device):
    """Fails if no LLDP frame arrives within 1.5 s."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(LLDP))
    s.bind((device, LLDP))
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        s.settimeout(max(0.01, end - time.monotonic()))
        try:
            if s.recvfrom(2000)[1][2] != OUTGOING:
                return
        except TimeoutError:
            break
    sys.exit("no LLDP")


def member(group, port):
    """Joins a multicast group on the link of the route, again and again, and answers what comes for it."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind((group, int(port)))
            s.settimeout(1)
            try:
                s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group) + bytes(4))
                while True:
                    data, sender = s.recvfrom(99)
                    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back:
                        back.sendto(data, sender)
            except OSError:  # there is no route yet, or nothing comes
                time.sleep(0.01)


def question(group, port):
    """Asks a multicast group, and fails without an answer within a second."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(1)
    s.sendto(b"who is there", (group, int(port)))
    s.recv(99)


HELPERS = {"member": member, "question": question, "solicit": solicit, "lldp": lldp, "neighbour": neighbour}
