"""The programs behind the devices: helpers.py WHAT ARGUMENT..."""

import ctypes
import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import time

import bpf
from packets import packet

TUNSETIFF = 0x400454CA
libc = ctypes.CDLL(None, use_errno=True)


def open_device(name, flags):
    """Attaches to a device, and returns the descriptor."""
    f = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(f, TUNSETIFF, struct.pack("16sH22x", name.encode(), int(flags, 0)))
    return f


def enter(namespace):
    """Moves this process to a network namespace of ip netns."""
    f = os.open("/run/netns/" + namespace, os.O_RDONLY)
    if libc.setns(f, 0):
        raise OSError(ctypes.get_errno(), "setns")


def become(uid):
    """Gives up root, and takes the groups that /etc/group gives nobody."""
    os.setgroups(os.getgrouplist("nobody", 65534) if uid == 65534 else [])
    os.setgid(uid)
    os.setuid(uid)


def copy(a, b):
    """Copies packets between two descriptors."""
    poll = select.poll()
    for f in (a, b):
        os.set_blocking(f, False)
        poll.register(f, select.POLLIN)
    while True:
        for f, events in poll.poll():
            try:
                while True:
                    os.write(b if f == a else a, os.read(f, 70000))
            except BlockingIOError:
                pass
            except OSError:
                if events & select.POLLERR:
                    time.sleep(0.05)


def hold(device, flags, queues="1", uid="0"):
    """Attaches, and does nothing more."""
    if uid != "0":
        become(int(uid))
    kept = [open_device(device, flags) for _ in range(int(queues))]
    time.sleep(600)
    return kept


def spin(device, flags):
    """Attaches, and calculates without reading."""
    kept = open_device(device, flags)
    while kept:
        pass


def sink(device, flags, pause="0"):
    """Reads and forgets; with a pause in seconds after each packet."""
    f = open_device(device, flags)
    while True:
        os.read(f, 70000)
        time.sleep(float(pause))


def relay(device, mode, namespace, guest, flags=None):
    """Joins a device with one in another namespace. The flags N*4: of four queues, it reads the first alone."""
    wanted = "0x1001" if mode == "tun" else "0x1002"
    flags, _, queues = (flags or wanted).partition("*")
    kept = [open_device(device, flags) for _ in range(int(queues or 1))]
    enter(namespace)
    copy(kept[0], open_device(guest, wanted))


def header_size(device, size):
    """Sets the size of the virtio header, and leaves the device."""
    fcntl.ioctl(open_device(device, "0x5002"), 0x400454D8, struct.pack("i", int(size)))


def ten(device, namespace, guest):
    """Joins a tap with one in another namespace, and takes its virtio header for 10 bytes long."""
    f = open_device(device, "0x5002")
    enter(namespace)
    g = open_device(guest, "0x1002")
    while True:
        for ready in select.select([f, g], [], [])[0]:
            try:
                data = os.read(ready, 70000)
                os.write(g if ready == f else f, data[10:] if ready == f else bytes(10) + data)
            except OSError:
                time.sleep(0.01)


def patch(a, b):
    """Joins two tuns of this namespace."""
    copy(open_device(a, "0x1001"), open_device(b, "0x1001"))


def talk(device, flags, spec):
    """Writes a packet each 0.1 s, and creates /run/reply for an echo reply."""
    f = open_device(device, flags)
    os.set_blocking(f, False)
    data = packet(spec)
    header = (0 if int(flags, 0) & 0x1000 else 4) + (10 if int(flags, 0) & 0x4000 else 0)
    while True:
        try:
            os.write(f, data)
        except OSError:
            pass
        end = time.time() + 0.1
        while time.time() < end:
            try:
                got = os.read(f, 70000)[header:]
                if len(got) > 21 and got[0] >> 4 == 4 and got[9] == 1 and got[20] == 0:
                    open("/run/reply", "w").close()
            except BlockingIOError:
                time.sleep(0.01)


def attach(device, flags, uid):
    """Fails if the user may not attach."""
    become(int(uid))
    open_device(device, flags)


def leak(device, flags):
    """Leaves the descriptor to a child, and exits."""
    f = open_device(device, flags)
    os.set_inheritable(f, True)
    subprocess.Popen(["sleep", "600"], close_fds=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                     stderr=subprocess.DEVNULL)


def server(address, port):
    """Receives UDP, and creates /run/udp for each packet."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, int(port)))
    while True:
        s.recv(99)
        open("/run/udp", "w").close()


def echo(address, port):
    """Answers UDP."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, int(port)))
    while True:
        try:
            s.sendto(*s.recvfrom(99))
        except OSError:  # there is no way back
            pass


def beat(address, port):
    """Sends UDP from one port each 0.2 s, and creates /run/reply for an answer."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", int(port)))
    s.settimeout(0.2)
    while True:
        try:
            s.sendto(b"ping", (address, int(port)))
            s.recv(99)
            open("/run/reply", "w").close()
            time.sleep(0.2)
        except OSError:
            pass


def forget():
    """Removes all entries of connection tracking of this namespace."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as s:
        s.send(struct.pack("IHHIIBBH", 20, 1 << 8 | 2, 5, 1, 0, socket.AF_INET, 0, 0))
        error = struct.unpack("i", s.recv(4096)[16:20])[0]
    if error:
        raise OSError(-error, os.strerror(-error))


def send(address, port, uid="0"):
    """Sends a UDP packet, as a user."""
    if uid != "0":
        become(int(uid))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    socket.socket(family, socket.SOCK_DGRAM).sendto(b"ping", (address, int(port)))


def tunnel(device, peer):
    """Sends what it reads to the peer, as a VPN daemon does; 20 packets."""
    f = open_device(device, "0x1001")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect((peer, 1194))
    for n in range(1 << 30):
        data = os.read(f, 70000)
        if n < 20:
            s.send(data[:1000])


def vpn(device, port, server="", mark="0", connect=""):
    """Carries the packets of the device in UDP, as a VPN daemon does: to the server, or to who sent last. With any
    `connect`, the socket is connected to the server."""
    f = open_device(device, "0x1001")
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("", int(port)))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, int(mark, 0))
    peer = (server, int(port)) if server else None
    if connect:
        s.connect(peer)
    while True:
        for ready in select.select([f, s], [], [])[0]:
            try:
                if ready == s:
                    data, sender = s.recvfrom(70000)
                    peer = peer if server else sender
                    os.write(f, data)
                else:
                    data = os.read(f, 70000)
                    if connect:
                        s.send(data)
                    elif peer:
                        s.sendto(data, peer)
            except OSError:  # the device is down, or there is no way
                time.sleep(0.01)


def listen(device, port, address=""):
    """Holds a tun, and listens on a TCP port as a VPN daemon does."""
    s = socket.create_server((address, int(port)))
    f = open_device(device, "0x1001")
    while True:
        s.accept()
        os.write(f, packet("echo:10.0.0.2:10.0.0.1"))


def listen_broadcast(device, address):
    """Holds a tun, and a UDP socket for broadcasts."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, 9999))
    hold(device, "0x1001")


def listen_only(port):
    """Listens on a TCP port."""
    s = socket.create_server(("", int(port)))
    while True:
        s.accept()


def knock(address, port, source=""):
    """Opens a TCP connection."""
    socket.create_connection((address, int(port)), 1, (source, 0)).close()


def discover(device):
    """Sends a DHCP request from a device without an address."""
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    s.bind(("", 68))
    s.sendto(b"\1\1\6" + bytes(237), ("255.255.255.255", 67))


def advertise(namespace, device, prefix):
    """Sends router advertisements for a prefix."""
    enter(namespace)
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, 58)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
    data = (struct.pack(">BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
            + struct.pack(">BBBBIII", 3, 4, 64, 0xC0, 86400, 14400, 0) + socket.inet_pton(socket.AF_INET6, prefix))
    while True:
        try:
            s.sendto(data, ("ff02::1", 0, 0, socket.if_nametoindex(device)))
        except OSError:  # there is no link-local address yet
            pass
        time.sleep(0.3)


HELPERS = {"hold": hold, "spin": spin, "sink": sink, "slow": sink, "relay": relay, "patch": patch, "talk": talk,
           "attach": attach, "leak": leak, "server": server, "send": send, "tunnel": tunnel, "advertise": advertise,
           "headersize": header_size, "ten": ten, "echo": echo, "beat": beat, "forget": forget,
           "vpn": vpn, "listen": listen, "listen_only": listen_only, "knock": knock, "discover": discover,
           "listen_broadcast": listen_broadcast,
           "xdpdrop": bpf.xdp_drop, "tcprog": bpf.tc}

if __name__ == "__main__":
    import announce
    import carriers
    HELPERS.update({**announce.HELPERS, **carriers.HELPERS})
    HELPERS[sys.argv[1]](*sys.argv[2:])
