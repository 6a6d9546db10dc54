"""IPv4 packets that programs write, right and wrong ones."""

import socket
import struct


def checksum(data):
    """Returns the Internet checksum."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(">%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip4(source, destination, protocol, payload, ttl=64, bad=False):
    """Returns an IPv4 packet; with bad, its header checksum is wrong."""
    header = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, 0, ttl, protocol, 0,
                         socket.inet_aton(source), socket.inet_aton(destination))
    right = checksum(header)
    return header[:10] + struct.pack(">H", right ^ 0x1111 if bad else right) + header[12:] + payload


def packet(spec):
    """Returns the packet KIND:SOURCE:DESTINATION[:PORT], or pi: or frame: and a packet."""
    kind, _, rest = spec.partition(":")
    if kind == "pi":
        return b"\0\0\x08\0" + packet(rest)
    if kind == "frame":
        return b"\xff" * 6 + b"\x02\0\0\0\0\x09" + b"\x08\0" + packet(rest)
    source, destination, *more = rest.split(":")
    if kind == "badudp":
        return ip4(source, destination, 17, struct.pack(">HHHH", 4444, int(more[0]), 12, 0xBEEF) + b"ping")
    echo = struct.pack(">BBHHH", 8, 0, 0, 77, 1) + b"x" * 24
    right = checksum(echo)
    echo = echo[:2] + struct.pack(">H", right ^ 0x1111 if kind == "badicmp" else right) + echo[4:]
    return ip4(source, destination, 1, echo, ttl=1 if kind == "ttl1" else 64, bad=kind == "badip")
