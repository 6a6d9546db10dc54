"""Rights, namespaces and containers."""

from table import broken

broken(
    "docker -v made a directory of /dev/net/tun",
    "",
    setup="mount -t tmpfs t /dev/net; mkdir /dev/net/tun",
    want="directory|not the tun driver",
    level="error",
    probe="ip tuntap add dev x0 mode tun && ip link del x0",
    repair="rmdir /dev/net/tun; mknod -m 666 /dev/net/tun c 10 200",
    fix=True, own_pids=False)

broken(
    "the node is open to a group alone (0660)",
    "tun0 --user nobody",
    setup="chgrp games /run/tun; chmod 660 /run/tun; make_tun",
    want="/dev/net/tun",
    level="error",
    probe="as_nobody tun0 0x1001",
    repair="chmod 666 /dev/net/tun",
    fix=True)

broken(
    "root of a container without CAP_NET_ADMIN",
    "tun0",
    setup="ip tuntap add dev tun0 mode tun user 1000; ip link set tun0 up",
    want="CAP_NET_ADMIN",
    level="error",
    badfix="^tunadm set",
    command='capsh --drop=cap_net_admin -- -c "$T doctor --json tun0"')

broken(
    "the device of the same name is in another namespace, and one with a near name here",
    "tun7",
    setup="""
        ip netns add blue; ip -n blue tuntap add dev tun7 mode tun user nobody
        ip tuntap add dev tun77 mode tun user nobody
        """,
    want="tun77",
    level="error",
    fix=False)

broken(
    "the device was absent, and a container has one of that name: how to make it here",
    "tun0",
    setup="ip netns add blue; ip -n blue tuntap add dev tun0 mode tun user nobody",
    want="no device tun0",
    level="error",
    probe="ip link show tun0",
    repair="ip tuntap add dev tun0 mode tun",
    needfix="^tunadm add tun0")
