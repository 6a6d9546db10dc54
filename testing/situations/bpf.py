"""BPF programs that drop packets, without a library: XDP, and traffic control."""

import ctypes
import os
import platform
import socket
import struct

BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351, "i686": 357}
SCHED_CLS, XDP = 3, 6
libc = ctypes.CDLL(None, use_errno=True)


def load(kind, result):
    """Loads a program that returns one number, and returns its descriptor."""
    code = struct.pack("<BBhi", 0xB7, 0, 0, result) + struct.pack("<BBhi", 0x95, 0, 0, 0)
    code = ctypes.create_string_buffer(code, len(code))
    text = ctypes.create_string_buffer(b"GPL")
    log = ctypes.create_string_buffer(4096)
    attributes = struct.pack("<IIQQIIQIIQ", kind, 2, ctypes.addressof(code), ctypes.addressof(text), 1, 4096,
                             ctypes.addressof(log), 0, 0, 0) + b"\0" * 64
    attributes = ctypes.create_string_buffer(attributes, len(attributes))
    fd = libc.syscall(BPF[platform.machine()], 5, attributes, len(attributes))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return fd


def attribute(kind, data):
    """Returns a netlink attribute, padded."""
    return struct.pack("HH", 4 + len(data), kind) + data + b"\0" * (-len(data) % 4)


def request(kind, flags, body):
    """Sends a request to the kernel, and raises its error."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.send(struct.pack("IHHII", 16 + len(body), kind, 5 | flags, 1, 0) + body)
        error = struct.unpack("i", s.recv(4096)[16:20])[0]
    if error:
        raise OSError(-error, os.strerror(-error))


def xdp_drop(device):
    """Attaches a generic XDP program that drops everything."""
    xdp = attribute(1, struct.pack("I", load(XDP, 1))) + attribute(3, struct.pack("I", 2))
    request(19, 0, struct.pack("BBHiII", 0, 0, 0, socket.if_nametoindex(device), 0, 0) + attribute(43 | 0x8000, xdp))


def tc(device, hook, result):
    """Attaches a program to the hook ingress or egress of a clsact qdisc. 0: continue, 2: drop."""
    parent = {"ingress": 0xFFFFFFF2, "egress": 0xFFFFFFF3}[hook]
    message = struct.pack("BBHiIII", 0, 0, 0, socket.if_nametoindex(device), 0, parent, 1 << 16 | 0x0300)
    options = (attribute(6, struct.pack("I", load(SCHED_CLS, int(result)))) + attribute(7, b"cil_from_netdev\0")
               + attribute(8, struct.pack("I", 1)))
    request(44, 0x600, message + attribute(1, b"bpf\0") + attribute(2, options))
