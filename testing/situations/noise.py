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

# scan NS ADDRESS: tries one port after the other. strangers: the device leads to the Internet, where somebody scans
PORTS = """
    scan() {
      ip netns exec "$1" "$PY" -c '
import socket, sys, time
for port in range(100, 1100):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((sys.argv[1], port))
    time.sleep(0.05)
    s.close()' "$2" &
    }
    closed() {
      chain ip filter INPUT input 0 drop
      rule ip filter INPUT iif lo accept; rule ip filter INPUT ct state established,related accept
      rule ip filter INPUT icmp type echo-request accept; rule ip filter INPUT tcp dport 22 accept
    }
"""

healthy(
    "a guest scans this host, whose firewall closes all ports but one",
    "tun0",
    setup=PORTS + "tun; closed; S listen_only 22 & scan g 10.0.0.1; again to_guest; sleep 0.5",
    probe="to_guest && to_host")

healthy(
    "the device leads to the Internet: a stranger tries to log in again and again, and the port is closed",
    "tun0",
    setup=PORTS + """
        tun; ip route add default dev tun0; ip -n g addr add 198.51.100.77/32 dev lo; closed; S listen_only 23 &
        for i in 1 2 3; do again ip netns exec g "$PY" "$HELPER" knock 10.0.0.1 23 198.51.100.77; done; sleep 0.3
        """,
    probe="to_guest && to_host")

healthy(
    "the device leads to the Internet: strangers send UDP to ports of no program",
    "tun0",
    setup="""
        tun; ip route add default dev tun0; ip -n g addr add 198.51.100.77/32 dev lo
        ip -n g route replace 10.0.0.1 dev eth0 src 198.51.100.77; ping -q -c20 -i0.01 10.0.0.2
        again ip netns exec g "$PY" "$HELPER" send 10.0.0.1 5060; sleep 0.5
        """,
    probe="to_guest")

healthy(
    "a guest asks a closed port of this host each 0.3 s, such as that of an agent that is not installed",
    "tun0",
    setup=PORTS + 'tun; closed; again ip netns exec g "$PY" "$HELPER" knock 10.0.0.1 10050; sleep 0.3',
    probe="to_guest && to_host")

healthy(
    "a host of the private network outside scans a guest that is open for the web alone",
    "tap0",
    setup=PORTS + """
        forward; tap; far return; ip addr replace 192.168.5.1/24 dev v0; ip -n far addr add 192.168.5.2/24 dev eth0
        ip -n far route replace 10.0.0.0/24 via 192.168.5.1
        chain ip filter FORWARD forward 0 drop
        rule ip filter FORWARD ct state related,established accept; rule ip filter FORWARD iifname tap0 accept
        rule ip filter FORWARD icmp type echo-request accept; rule ip filter FORWARD tcp dport 80 accept
        scan far 10.0.0.2; again to_guest; sleep 0.5
        """,
    probe="to_guest && ip netns exec g ping -c1 -W1 192.168.5.2")

healthy(
    "a guest looks for the metadata service of a cloud, and for a printer of another network",
    "tap0",
    setup="""
        forward; far return; tap; ip route add default via 203.0.113.2
        for n in 169.254.0.0/16 192.168.1.0/24; do ip -n g route add $n dev eth0; done
        again ask_from g 169.254.169.254; again ask_from g 192.168.1.9; again to_far
        """,
    probe="to_far")

healthy(
    "guests behind isolated ports, and one looks for all others",
    "tap1",
    setup="""
        two_taps; ip addr add 10.0.0.1/24 dev br0
        for d in tap0 tap1; do bridge link set dev $d isolated on; done
        around() { for i in 3 4 5 6 7 8; do ip netns exec g ping -c1 -W0.1 10.0.0.$i; done; }
        again around; again ip netns exec h ping -c1 -W1 10.0.0.1; sleep 1
        """,
    probe="to_host && ip netns exec h ping -c1 -W1 10.0.0.1")

healthy(
    "a guest gets answers to pings, and sends packets that need none",
    "tun0",
    setup="""
        forward; tun; far return
        ip netns exec far "$PY" "$HELPER" server 203.0.113.2 7000 & sleep 0.3
        ip netns exec g "$PY" "$HELPER" beat 203.0.113.2 7000 & again to_far; sleep 0.3
        """,
    probe="to_far")

healthy(
    "a guest asks a service outside that thinks for 0.7 s",
    "tun0",
    setup="""
        forward; tun; far return
        ip netns exec far "$PY" -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("203.0.113.2", 5000))
while True:
    data, sender = s.recvfrom(99)
    time.sleep(0.7)
    s.sendto(data, sender)' & sleep 0.3
        ip netns exec g "$PY" -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    s.sendto(b"ping", ("203.0.113.2", 5000))
    s.recv(99)' & sleep 0.3
        """,
    probe="to_far")

# A program that carries TCP in TCP, and asks a name server over UDP, as tun2socks does
PROXY = r"""
    far; make_tun
    ip netns exec far "$PY" -c '
import socket, threading
def web():
    c = socket.create_server(("203.0.113.2", 443)).accept()[0]
    while c.recv(65536):
        pass
threading.Thread(target=web, daemon=True).start()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("203.0.113.2", 53))
while True:
    s.sendto(*s.recvfrom(999))' & sleep 0.4
    "$PY" -c '
import os, socket, sys, threading, time
sys.path.insert(0, sys.argv[1])
from helpers import open_device
from packets import checksum
f = open_device("tun0", "0x1001")
web = socket.create_connection(("203.0.113.2", 443))
dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
dns.bind(("", 5353))
def ask():
    while True:
        dns.sendto(bytes(40), ("203.0.113.2", 53))
        time.sleep(1)
threading.Thread(target=ask, daemon=True).start()
while True:
    p = os.read(f, 70000)
    if p[0] >> 4 == 4:
        web.sendall(p)
        icmp = bytes(4) + p[24:]
        icmp = icmp[:2] + checksum(icmp).to_bytes(2, "big") + icmp[4:]
        os.write(f, p[:12] + p[16:20] + p[12:16] + icmp)' "$(dirname "$HELPER")" & attached tun0
"""

healthy(
    "the attached program carries large packets in TCP, and uses UDP for DNS alone",
    "tun0",
    setup=PROXY + "again ping -c1 -W1 -s 1460 10.0.0.2; again ping -c1 -W1 -s 1460 10.0.0.3",
    probe="to_guest")

healthy(
    "a host of a network behind the VPN asks for a connection to the LAN address, and is gone",
    "tun0",
    setup="""
        make_tun; veth; ip addr add 192.168.7.1/24 dev v0; guest g tun0 tun 10.0.0.2/24 10.0.0.1
        ip -n g addr add 172.20.0.5/32 dev lo; ip route add 172.20.0.0/16 via 10.0.0.2; S listen_only 8080 & sleep 0.3
        ip netns exec g nft 'add table ip f; add chain ip f i { type filter hook input priority 0; }'
        ip netns exec g nft 'add rule ip f i tcp sport 8080 drop'
        again ip netns exec g "$PY" "$HELPER" knock 192.168.7.1 8080 172.20.0.5
        wait_for "awk '\\$4 == \\"03\\" && \\$7 != \\"00000000\\"' /proc/net/tcp | grep -q ."; sleep 0.3
        """,
    probe="to_guest")

healthy(
    "this host has each address of a network (AnyIP), and a program with one of these answers late",
    "tun0",
    setup="""
        tun; ip route add local 10.5.0.0/24 dev lo
        "$PY" -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.5.0.5", 5000))
while True:
    data, sender = s.recvfrom(99)
    time.sleep(4)
    s.sendto(data, sender)' & sleep 0.3
        ip netns exec g "$PY" "$HELPER" beat 10.5.0.5 5000 & sleep 0.5
        """,
    probe="ip netns exec g ping -c1 -W1 10.5.0.5")

healthy(
    "two uplinks with strict reverse path filters, and a VPN server that waits",
    "tun0",
    setup="""
        sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
        far; ip route add default via 203.0.113.2 metric 100
        ip netns add far2; ip link add v2 type veth peer name eth0 netns far2
        ip addr add 198.51.100.1/24 dev v2; ip link set v2 up
        for a in "198.51.100.2/24 dev eth0" "192.0.2.7/32 dev lo"; do ip -n far2 addr add $a; done
        ip -n far2 link set eth0 up; ip route add default via 198.51.100.2 metric 600
        ask_from far2 198.51.100.1; ask_from far2 -I 192.0.2.7 198.51.100.1
        make_tun; S carry tun0 1194 & attached tun0; ask 10.0.0.2
        """,
    probe="ip netns exec far ping -c1 -W1 203.0.113.1")

healthy(
    "a guest with IPv6 alone, and broadcasts in the network outside",
    "tap0",
    setup="""
        IPV6=yes; far; make_tap; guest g tap0 tap
        ip addr add fd00::1/64 dev tap0 nodad; ip -n g addr add fd00::2/64 dev eth0 nodad
        ip netns exec far "$PY" -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
for _ in range(10):
    s.sendto(b"here", ("203.0.113.255", 17500))'
        to_guest6; again to_guest6
        """,
    probe="to_guest6")
