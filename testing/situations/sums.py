"""TCP and UDP checksums that the kernel leaves to the program behind the device."""

from table import broken, healthy

# answer: the guest answers at UDP port 7000 and TCP port 80. asks: this host asks there, and sends pings.
ASKS = """
    answer() { ip netns exec g "$PY" "$HELPER" echo 10.0.0.2 7000 & ip netns exec g "$PY" "$HELPER" listen_only 80 & }
    asks() { sleep 0.3; S beat 10.0.0.2 7000 & again to_guest; }
"""
CONNECT = "S knock 10.0.0.2 80"
FINISHED = "S checksums {} off"
UNFINISHED = r"TCP and UDP packets of this host reach the program with unfinished checksums"

broken(
    "the previous program left checksum offload on, and the present one has no virtio header",
    "tun0",
    setup=ASKS + "make_tun; S offload tun0 0x5001; guest g tun0 tun 10.0.0.2/24 10.0.0.1; answer; asks",
    want=UNFINISHED + ".*without IFF_VNET_HDR",
    level="error",
    probe="to_guest && replied && " + CONNECT,
    repair=FINISHED.format("tun0"),
    needfix="ethtool -K tun0 tx off")

broken(
    "the previous program left checksum offload on, and only TCP connections are asked for",
    "tap0",
    setup=ASKS + """
        make_tap; S offload tap0 0x5002; guest g tap0 tap 10.0.0.2/24 10.0.0.1; answer; sleep 0.3; again to_guest
        again timeout 3 "$PY" -c 'import socket; socket.create_connection(("10.0.0.2", 80), 2)'
        """,
    want=UNFINISHED + ".*without IFF_VNET_HDR",
    level="error",
    probe="to_guest && " + CONNECT,
    repair=FINISHED.format("tap0"),
    needfix="ethtool -K tap0 tx off")

broken(
    "the program asks for checksum offload, and throws the virtio header away",
    "tap0",
    setup=ASKS + """
        make_tap; S offload tap0 0x5002; ip netns add g
        ip netns exec g sysctl -qw net.ipv6.conf.default.disable_ipv6=1
        S ten tap0 g eth0 & wait_for "ip -n g link show eth0"
        ip -n g addr add 10.0.0.2/24 dev eth0; ip -n g link set eth0 up; attached tap0; answer; asks
        """,
    want=UNFINISHED + ".*ignores the virtio header",
    level="warning",
    probe="to_guest && replied && " + CONNECT,
    repair=FINISHED.format("tap0"),
    needfix="ethtool -K tap0 tx off")

OFF = ASKS + "make_tun; guest g tun0 tun 10.0.0.2/24 10.0.0.1; "

healthy(
    "the host behind the device answers pings, and nothing listens at the UDP port that this host asks",
    "tun0",
    setup=OFF + "asks",
    probe="to_guest")

healthy(
    "the host behind the device answers pings and TCP, and its UDP service is silent",
    "tun0",
    setup=OFF + """
        ip netns exec g "$PY" "$HELPER" server 10.0.0.2 7000 & ip netns exec g "$PY" "$HELPER" listen_only 80 &
        asks; again S knock 10.0.0.2 80
        """,
    probe="to_guest && " + CONNECT)

# A guest that gets the virtio headers, and the program that passes them on.
PASSED = ASKS + """
    make_tap; S offload tap0 0x5002; ip netns add g; ip netns exec g sysctl -qw net.ipv6.conf.default.disable_ipv6=1
    S headers tap0 g eth0 & wait_for "ip -n g link show eth0"
    ip -n g addr add 10.0.0.2/24 dev eth0; ip -n g link set eth0 up; attached tap0
"""

healthy(
    "checksum offload is on, and the program passes the virtio headers on",
    "tap0",
    setup=PASSED + "answer; asks; again S knock 10.0.0.2 80",
    probe="to_guest && replied && " + CONNECT)

healthy(
    "checksum offload is on, the program passes the virtio headers on, and nothing listens at the UDP port",
    "tap0",
    setup=PASSED + "asks",
    probe="to_guest")
