"""The program that is attached to a device."""

from table import broken

broken(
    "the reader is stopped (SIGSTOP) after it has worked",
    "tun0",
    setup="""
        tun
        ping -c2 -i0.1 10.0.0.2; kill -STOP $(cat /run/relay.g)
        ping -q -c1500 -i0.001 -W1 10.0.0.2 || true
        """,
    want="stopped|suspend|does not read|not read|reads? no|hang|SIGSTOP|queue is full",
    probe="to_guest",
    repair="kill -CONT $(cat /run/relay.g)",
    traffic="ask 10.0.0.2", reason="FULL_RING|QDISC")

broken(
    "the program never reads: the pings wait in its queue, and none is dropped",
    "tun0",
    setup="""
        make_tun; S hold tun0 0x1001 & attached tun0
        ping -q -c30 -i0.01 -W0.1 10.0.0.2 || true
        """,
    want="does not read|reads? no",
    level="error",
    probe="to_guest")

broken(
    "the second program never reads either: a ping is running",
    "tun0",
    setup="""
        make_tun; "$PY" "$HELPER" hold tun0 0x1001 & attached tun0; ask 10.0.0.2
        kill $!; wait $! || true
        S hold tun0 0x1001 & attached tun0; again ping -q -c1 -W0.1 10.0.0.2
        """,
    want="does not read|reads? no",
    level="error",
    probe="to_guest")

broken(
    "the reader is slower than the traffic",
    "tun0",
    setup="""
        make_tun
        S slow tun0 0x1001 0.05 &
        attached tun0; ping -q -c2500 -i0.001 -W1 10.0.0.2 || true
        [ $(dropped tun0) -gt 20 ]
        """,
    want="drop|keep up|too slow|behind",
    level="warning")

broken(
    "bursts do not fit: txqueuelen 100, some packets dropped",
    "tun0",
    setup="""
        make_tun; ip link set tun0 txqueuelen 100
        S slow tun0 0x1001 0.05 &
        attached tun0; ping -q -c600 -i0.001 -W1 10.0.0.2 || true
        [ $(dropped tun0) -gt 20 ]
        """,
    want="drop",
    level="warning")

broken(
    "the owner's program gets EBUSY, and the owner asks about the device",
    "tun0",
    setup="chmod 666 /run/tun; make_tun; S hold tun0 0x1001 & attached tun0",
    want="in use|busy|attached",
    probe="as_nobody tun0 0x1001",
    fix=False,
    command="setpriv --reuid 65534 --regid 65534 --clear-groups $T doctor --json tun0")

broken(
    "the program writes packets without the PI header that it asked for",
    "tun0",
    setup="make_tun; S talk tun0 0x0001 icmp:10.0.0.2:10.0.0.1 & attached tun0; sleep 1",
    want=r"packet information|NO_PI|\bPI\b|four bytes|4 bytes|--pi",
    probe="replied")

broken(
    "the IP header checksum of what the program writes is wrong",
    "tun0",
    setup="make_tun; S talk tun0 0x1001 badip:10.0.0.2:10.0.0.1 & attached tun0; sleep 1",
    want="checksum",
    probe="replied",
    traffic="sleep 0.5", reason="IP_CSUM")

broken(
    "the ICMP checksum of what the program writes is wrong",
    "tun0",
    setup="make_tun; S talk tun0 0x1001 badicmp:10.0.0.2:10.0.0.1 & attached tun0; sleep 1",
    want="checksum",
    probe="replied",
    source="hidetzu/tcpip-stack#35",
    traffic="sleep 0.5", reason="ICMP_CSUM")

broken(
    "the program writes packets whose source is this host's own address",
    "tun0",
    setup="""
        forward
        make_tun; far return
        S talk tun0 0x1001 icmp:203.0.113.1:203.0.113.2 &
        attached tun0; sleep 1
        """,
    want="martian|accept_local|own (source )?address|address(es)? of this host",
    probe="more_echos sleep 0.7",
    repair="sysctl -w net.ipv4.conf.tun0.accept_local=1",
    fix=True,
    traffic="sleep 0.5", reason="LOCAL_SOURCE")

broken(
    "two programs share a multi-queue device, each gets half of the packets",
    "tun0",
    setup="""
        ip tuntap add dev tun0 mode tun user nobody multi_queue
        ip addr add 10.0.0.1/24 dev tun0; ip link set tun0 up
        RELAY_FLAGS=0x1101 guest g tun0 tun 10.0.0.2/24 10.0.0.1; more_guests
        S sink tun0 0x1101 &
        sleep 0.5
        for i in $(seq 2 13); do ping -q -c1 -W0.2 10.0.0.$i || true; done
        """,
    want="(two|2|several|more than one|another) (programs?|process)|programs|each (gets|takes)|share",
    level="warning",
    probe="guests")

broken(
    "a program that asks for one queue gets EINVAL from a multi-queue device",
    "tun0 --user nobody -v",
    setup="ip tuntap add dev tun0 mode tun user nobody multi_queue; ip link set tun0 up",
    want="several queues|multi.?queue",
    probe="as_nobody tun0 0x1001",
    fix=False, passed=True)

broken(
    "tun9 is a tap (old tunctl): the program gets EINVAL",
    "tun9 --user nobody",
    setup="""
        ip tuntap add dev tun9 mode tap user nobody; ip link set tun9 up
        ip link set tun9 down
        """,
    want=r"\btap\b",
    level="warning",
    probe="as_nobody tun9 0x1001",
    repair="ip link del tun9; ip tuntap add dev tun9 mode tun user nobody",
    fix=True)

broken(
    "the program holds a descriptor of the device as it was before it was deleted and made again",
    "tun0",
    setup="""
        make_tun
        S hold tun0 0x1001 &
        attached tun0; ip link del tun0; make_tun
        ping -q -c3 -i0.1 -W1 10.0.0.2 || true
        """,
    want="deleted|stale|old descriptor|made again|re-?created|bad state|earlier device|python",
    probe="ip link show tun0 | grep -q LOWER_UP",
    traffic="ask 10.0.0.2", reason="DEV_READY|FULL_RING|QDISC")

broken(
    "a child inherited the descriptor: the daemon is gone and the device still busy",
    "tun0 --user nobody",
    setup="make_tun; S leak tun0 0x1001; attached tun0",
    want="in use by .*sleep",
    level="error",
    probe="as_nobody tun0 0x1001",
    fix=False)

broken(
    "the program has four queues and reads one",
    "tun0",
    setup="""
        ip tuntap add dev tun0 mode tun user nobody multi_queue
        ip addr add 10.0.0.1/24 dev tun0; ip link set tun0 up
        RELAY_FLAGS='0x1101*4' guest g tun0 tun 10.0.0.2/24 10.0.0.1; more_guests
        for i in $(seq 2 13); do ping -q -c800 -l800 -W0.1 10.0.0.$i || true; done
        """,
    want=r"queue.*(not read|unread|does not|full|nobody|no one|stuck|wait)|\bread(s|ing)?\b.*queue",
    probe="guests", reason="FULL_RING")

broken(
    "QEMU left virtio headers of 12 bytes, and the next program takes them for 10",
    "tap0",
    setup="""
        ip tuntap add dev tap0 mode tap user nobody vnet_hdr; S headersize tap0 12
        ip addr add 10.0.0.1/24 dev tap0; ip link set tap0 up
        ip netns add g; ip -n g link set lo up
        S ten tap0 g eth0 & wait_for 'ip -n g link show eth0'
        ip -n g addr add 10.0.0.2/24 dev eth0; ip -n g link set eth0 up; attached tap0
        ask 10.0.0.2; ask_from g 10.0.0.1
        """,
    want="(virtio|vnet).{0,40}(header|hdr)|vnet_hdr",
    probe="to_host", reason="UNHANDLED_PROTO|OTHERHOST")

broken(
    "the resolver of the host listens on 127.0.0.53 alone, and the guest asks the address of the device",
    "tun0 --from 10.0.0.2 --to 10.0.0.1 --proto udp --port 53",
    setup="""
        tun; S server 127.0.0.53 53 &
        sleep 0.3; ip netns exec g "$PY" "$HELPER" send 10.0.0.1 53
        """,
    want=r"127\.0\.0\.53|listen|no (program|socket|process)",
    probe='more_udp ip netns exec g "$PY" "$HELPER" send 10.0.0.1 53',
    repair="S server 10.0.0.1 53 & sleep 0.5")
