"""The kernel's links without ip(8): a foreign program that is as fast as can be."""

import fcntl
import json
import os
import socket
import struct
import subprocess

from namespace import TUNSETIFF

RTM_NEWLINK, RTM_DELLINK = 16, 17
NLM_F_REQUEST, NLM_F_ACK, NLMSG_ERROR = 1, 4, 2
IFLA_IFNAME, IFLA_MTU, IFLA_NET_NS_PID, IFLA_IFALIAS, IFLA_GROUP = 3, 4, 19, 20, 27
IFF_UP, IFF_NO_PI, IFF_TUN_EXCL = 1, 0x1000, 0x8000
SIOCGIFNAME, SIOCGIFMTU, SIOCGIFINDEX = 0x8910, 0x8921, 0x8933
TUNSETPERSIST, TUNSETOWNER, TUNSETIFINDEX = 0x400454CB, 0x400454CC, 0x400454DA


class Links:
    def __init__(self):
        self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.i = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.seq = 0

    def ask(self, kind, index, *attributes, flags=0, change=0):
        """Sends one request, and returns the errno of the answer."""
        body = struct.pack("BxHiII", 0, 0, index, flags, change)
        for type_, value in attributes:
            body += struct.pack("HH", 4 + len(value), type_) + value + b"\0" * (-len(value) % 4)
        self.seq += 1
        self.s.send(struct.pack("IHHII", 16 + len(body), kind, NLM_F_REQUEST | NLM_F_ACK, self.seq, 0) + body)
        while True:
            b = self.s.recv(65536)
            _, type_, _, seq, _ = struct.unpack_from("IHHII", b)
            if seq == self.seq and type_ == NLMSG_ERROR:
                return -struct.unpack_from("i", b, 16)[0]

    def delete(self, index):
        return self.ask(RTM_DELLINK, index)

    def rename(self, index, name):
        return self.ask(RTM_NEWLINK, index, (IFLA_IFNAME, name.encode() + b"\0"))

    def move(self, index, pid):
        return self.ask(RTM_NEWLINK, index, (IFLA_NET_NS_PID, struct.pack("I", pid)))

    def set(self, index, up=None, mtu=None, alias=None, group=None):
        attributes = [] if mtu is None else [(IFLA_MTU, struct.pack("I", mtu))]
        attributes += [] if alias is None else [(IFLA_IFALIAS, alias.encode())]
        attributes += [] if group is None else [(IFLA_GROUP, struct.pack("I", group))]
        flags, change = (IFF_UP if up else 0), (0 if up is None else IFF_UP)
        return self.ask(RTM_NEWLINK, index, *attributes, flags=flags, change=change)

    def ioctl(self, number, name):
        return fcntl.ioctl(self.i, number, struct.pack("16s24x", name.encode()))[16:]

    def index(self, name):
        return struct.unpack_from("i", self.ioctl(SIOCGIFINDEX, name))[0]

    def name(self, index):
        """Returns the name of a device, or None."""
        try:
            r = fcntl.ioctl(self.i, SIOCGIFNAME, struct.pack("16si20x", b"", index))
        except OSError:
            return None
        return r[:16].split(b"\0")[0].decode()

    def mtu(self, name):
        return struct.unpack_from("i", self.ioctl(SIOCGIFMTU, name))[0]

    def make(self, name, flags, owner, index=0):
        """Makes a persistent device, and returns its index; 0: the name is taken, -1: it was renamed already."""
        fd = os.open("/dev/net/tun", os.O_RDWR)
        try:
            if index:
                fcntl.ioctl(fd, TUNSETIFINDEX, struct.pack("i", index))
            request = struct.pack("16sH22x", name.encode(), flags | IFF_NO_PI | IFF_TUN_EXCL)
            r = fcntl.ioctl(fd, TUNSETIFF, request)
            fcntl.ioctl(fd, TUNSETOWNER, owner)
            fcntl.ioctl(fd, TUNSETPERSIST, 1)
            try:
                return self.index(r[:16].split(b"\0")[0].decode())
            except OSError:
                return -1
        except OSError:
            return 0
        finally:
            os.close(fd)


def all_devices():
    """Returns {index: (name, owner, alias, mtu, up, group)} of all TUN/TAP devices."""
    out = subprocess.run(["ip", "-d", "-j", "link", "show", "type", "tun"], capture_output=True, text=True).stdout
    found = {}
    for link in json.loads(out or "[]"):
        if link:
            info = link["linkinfo"].get("info_data", {})
            found[link["ifindex"]] = (link["ifname"], info.get("user"), link.get("ifalias", ""), link["mtu"],
                                      "UP" in link["flags"], link.get("group"))
    return found
