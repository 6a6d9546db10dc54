"""The file /etc/tunadm.toml, groups and namespaces, uplinks and masquerading."""

from table import broken

broken(
    "a declared device is missing",
    "tun0 --user nobody",
    setup="printf '[device.tun0]\\nmode = \"tun\"\\nuser = \"nobody\"\\n' >/etc/tunadm.toml",
    want=r"tunadm\.toml",
    level="error",
    probe="ip link show tun0",
    repair="ip tuntap add dev tun0 mode tun user nobody",
    fix=True)

broken(
    "NetworkManager took a declared port out of its bridge",
    "tap0",
    setup="""
        printf '[device.tap0]\\nmode = "tap"\\nuser = "nobody"\\nmaster = "br0"\\n' >/etc/tunadm.toml
        bridge_up; ip addr add 10.0.0.1/24 dev br0
        port tap0; guest g tap0 tap 10.0.0.2/24
        ip link set tap0 nomaster
        """,
    want="br0",
    probe="to_host",
    repair="ip link set tap0 master br0",
    fix=True, source="mroboff/vm-curator#87")

broken(
    "a declared route is not in the kernel",
    "tun0",
    setup="""
        printf '[device.tun0]\\nmode = "tun"\\nuser = "nobody"\\naddresses = ["10.0.0.1/24"]\\n' >/etc/tunadm.toml
        echo 'routes = ["10.20.0.0/16"]' >>/etc/tunadm.toml
        tun; ip -n g addr add 10.20.0.1/16 dev lo
        """,
    want=r"10\.20\.0\.0/16",
    probe="ping -c1 -W1 10.20.0.1",
    repair="ip route add 10.20.0.0/16 dev tun0",
    fix=True)

broken(
    "the device belongs to a group, and the user is not in it",
    "tun0 --user nobody",
    setup="ip tuntap add dev tun0 mode tun group games; ip link set tun0 up",
    want="games|group",
    level="error",
    probe="as_nobody tun0 0x1001",
    repair="sed -i 's/^games:.*/&nobody/' /etc/group",
    fix=True)

broken(
    "the user is in the group, and the login is older",
    "tun0",
    setup="""
        sed -i 's/^games:.*/&nobody/' /etc/group
        ip tuntap add dev tun0 mode tun group games; ip link set tun0 up
        """,
    want="games|group",
    command="setpriv --reuid 65534 --regid 65534 --clear-groups $T doctor --json tun0",
    level="error", badfix="usermod|gpasswd|adduser")

broken(
    "root of a user namespace asks about a device of the namespace of the machine",
    "tun0",
    setup="make_tun",
    want="user namespace|CAP_NET_ADMIN",
    command="unshare --user --map-root-user $T doctor --json tun0",
    badfix="^tunadm set")

broken(
    "a container without the device node",
    "",
    setup="mount -t tmpfs dev /dev/net",
    want="/dev/net/tun",
    level="error",
    probe="ip tuntap add x0 mode tun && ip link del x0",
    repair="mknod -m 666 /dev/net/tun c 10 200",
    fix=True, own_pids=False)

broken(
    "the uplink is down",
    "tun0",
    setup="forward; tun; far return; ip route add default via 203.0.113.2; ip link set v0 down; to_far || true",
    want="uplink|default route|no route|unreachable|v0",
    probe="to_far",
    repair="ip link set v0 up",
    reason="NOROUTE|INADDR|IP_")

broken(
    "the uplink has no carrier",
    "tun0",
    setup="""
        forward; tun; far return
        ip route add default via 203.0.113.2; ip -n far link set eth0 down
        ask_from g 203.0.113.2
        """,
    want="v0|carrier",
    probe="to_far",
    repair="ip -n far link set eth0 up; ip -n far route add 10.0.0.0/24 via 203.0.113.1")

broken(
    "masquerading names an uplink that this host does not have",
    "tun0",
    setup="""
        forward; tun; far; ip route add default via 203.0.113.2
        TYPE=nat chain ip nat POSTROUTING postrouting 100
        rule ip nat POSTROUTING ip saddr 10.0.0.0/24 oifname eth0 counter masquerade
        ip netns exec g ping -q -c8 -i0.1 -W1 203.0.113.2 || true
        """,
    want=r"only for packets that leave through eth0, which this host does not have",
    probe="to_far",
    repair="nft add rule ip nat POSTROUTING oifname v0 masquerade")

broken(
    "masquerading is for the network of another VPN",
    "tun0",
    setup="""
        forward; tun; far; ip route add default via 203.0.113.2
        TYPE=nat chain ip nat POSTROUTING postrouting 100
        rule ip nat POSTROUTING ip saddr 10.8.0.0/24 oifname v0 counter masquerade
        ip netns exec g ping -q -c8 -i0.1 -W1 203.0.113.2 || true
        """,
    want=r"only for packets from another network, such as 10\.8\.0\.0",
    probe="to_far",
    repair="nft add rule ip nat POSTROUTING ip saddr 10.0.0.0/24 oifname v0 masquerade")

broken(
    "IPv4 is forwarded, and IPv6 is not",
    "tun0",
    setup="forward; tun6; far return; ip -n g route add default via fd00::1; to_far6 || true",
    want=r"IPv6.*forward|forward.*IPv6|ipv6\S*forwarding",
    probe="to_far6",
    repair="sysctl -w net.ipv6.conf.all.forwarding=1",
    fix=True, reason="IP6?_|INADDR|FORWARD|NOT_SPECIFIED")
