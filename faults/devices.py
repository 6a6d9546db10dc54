"""The devices, routes and files of the scenarios."""

# The foreign objects beside each scenario, which no command may change.
FOREIGN = """
link set lo up
link add br0 type bridge
link set dev br0 address 02:00:00:00:00:b0 addrgenmode none
link set br0 up
link add v0 address 02:00:00:00:00:a0 type veth peer name v1 address 02:00:00:00:00:a1
link set dev v0 addrgenmode none
link set dev v1 addrgenmode none
link set v0 up
link set v1 up
link set v0 master br0
tuntap add dev ftap mode tap user nobody multi_queue
link set ftap address 02:00:00:00:00:f0 mtu 1450 alias theirs
link set dev ftap addrgenmode none
link set ftap up
addr add 10.200.0.1/24 dev ftap
addr add fd00:200::1/64 dev ftap nodad
route add 10.201.0.0/16 dev ftap
route add 10.202.0.0/16 via 10.200.0.2 dev ftap table 77 proto bird
route add fd00:201::/64 dev ftap
tuntap add dev ftun mode tun user daemon
link set dev ftun addrgenmode none
link set ftun up
rule add pref 500 from 10.203.0.0/16 lookup 77
rule add pref 510 iif ftun lookup 77
neigh add 10.200.0.9 lladdr 02:00:00:00:00:99 dev ftap nud permanent
"""

TAP7 = """
tuntap add dev tap7 mode tap user daemon group daemon
link set tap7 address 02:00:00:00:07:07 mtu 1400 txqueuelen 777 alias before
link set dev tap7 addrgenmode none
link set tap7 up
addr add 10.7.0.1/24 dev tap7
addr add 10.7.0.2/24 dev tap7
addr add 10.7.1.1/32 peer 10.7.1.2 dev tap7
addr add fd00:7::1/64 dev tap7 nodad
route add 10.17.0.0/16 dev tap7 proto static
route add 10.18.0.0/16 via 10.7.0.9 dev tap7 metric 5 proto static
route add 10.19.0.0/16 via 10.7.0.9 dev tap7 table 99 proto bird src 10.7.0.2
route add fd00:17::/64 dev tap7 proto static
"""

TUN7 = """
tuntap add dev tun7 mode tun
link set dev tun7 addrgenmode none
link set tun7 up
addr add 10.7.0.1/24 dev tun7
addr add fd00:7::1/64 dev tun7 nodad
route add 10.17.0.0/16 dev tun7 proto static
route add fd00:17::/64 dev tun7 proto static
"""

THREE = "\n".join(f"tuntap add dev t{i} mode tun\nlink set t{i} group 5{i} up\naddr add 10.5{i}.0.1/24 dev t{i}"
                  for i in (1, 2, 3))

EVERYTHING = ("--user daemon --group daemon --mac 02:00:5e:10:00:01 --mtu 1450 --txqueuelen 333 --alias hello "
              "--address 10.1.0.1/24 --address fd00:1::1/64 --route 10.2.0.0/16 --route fd00:2::/64 --master br0 --up")

CFG = "/run/cfg/a.toml"

FOUR = """
[defaults]
user = "daemon"
mtu = 1400
[device.tun1]
addresses = ["10.1.0.1/24", "fd00:1::1/64"]
routes = ["10.11.0.0/16", "fd00:11::/64"]
[device.tun2]
addresses = ["10.2.0.1/24"]
alias = "two"
[device.tap3]
mac = "02:00:00:00:03:03"
master = "br0"
mtu = 1500
[device.tap4]
group = "daemon"
multi_queue = true
mac = "02:00:00:00:04:04"
txqueuelen = 444
"""

# Two devices of FOUR with other properties.
DRIFT = """
tuntap add dev tap3 mode tap
link set tap3 address 02:00:00:00:33:33 up
addr add 10.33.0.1/24 dev tap3
tuntap add dev tun1 mode tun user daemon
link set tun1 up
addr add 10.1.0.9/24 dev tun1
addr add 10.1.0.10/24 dev tun1
route add 10.99.0.0/16 dev tun1 proto static
"""

# A device of FOUR in another mode.
WRONG = """
tuntap add dev tun1 mode tap group games
link set tun1 address 02:00:00:00:01:01 alias old up
addr add 10.1.0.7/24 dev tun1
route add 10.71.0.0/16 dev tun1 proto static
"""

BRIDGE = """
[bridge.br7]
addresses = ["10.7.0.1/24", "fd00:7::1/64"]
routes = ["10.17.0.0/16 via 10.7.0.9"]
mtu = 1400
mac = "02:00:00:00:07:b7"
stp = true
forward_delay = 4
sysctl = {"net.ipv4.conf.rp_filter" = 2}
[device.tap7]
user = "daemon"
mac = "02:00:00:00:07:07"
master = "br7"
port = {isolated = true, cost = 7}
[device.tap8]
mac = "02:00:00:00:08:08"
master = "br7"
"""

BRIDGE_DRIFT = """
link add br7 type bridge
link set dev br7 address 02:00:00:00:07:b0 addrgenmode none
link set br7 up
addr add 10.8.0.1/24 dev br7
tuntap add dev tap7 mode tap user daemon
link set dev tap7 address 02:00:00:00:07:07 addrgenmode none
link set tap7 mtu 1400 master br7 up
"""

# A link of others that becomes a port.
LINK = """
link add nic7 address 02:00:00:00:07:a0 type veth peer name nic8 address 02:00:00:00:07:a1
link set dev nic7 addrgenmode none
link set dev nic8 addrgenmode none
link set nic7 up
link set nic8 up
"""

PORT = """
[bridge.br7]
addresses = ["10.27.0.1/24 broadcast +"]
mac = "02:00:00:00:07:b7"
ageing = 50
multicast_snooping = false
ports = ["nic7"]
sysctl = {"net.ipv4.conf.arp_announce" = 2}
[device.tap7]
mac = "02:00:00:00:07:07"
master = "br7"
port = {hairpin = true, priority = 9}
"""

# The bridge of PORT as others made it: with times between two of a file, and with the port.
PORT_DRIFT = LINK + """
link add br7 address 02:00:00:00:07:b7 type bridge forward_delay 1550 ageing_time 5050
link set dev br7 addrgenmode none
link set br7 up
addr add 10.27.0.1/24 broadcast 10.27.0.200 dev br7
link set nic7 master br7
link set nic7 type bridge_slave cost 9
tuntap add dev tap7 mode tap user root
link set tap7 address 02:00:00:00:07:07 master br7 up
link set tap7 type bridge_slave priority 20
"""

# Broadcast addresses and sysctls.
TUNED = """
[device.tun7]
addresses = ["10.7.0.1/24 broadcast +", "fd00:7::1/64"]
routes = ["10.17.0.0/16"]
sysctl = {"net.ipv4.conf.rp_filter" = 2, "net.ipv4.neigh.gc_stale_time" = 120, "net.ipv6.conf.hop_limit" = 99}
[device.tap8]
mac = "02:00:00:00:08:08"
addresses = ["10.8.0.1/24", "10.8.0.2/24 broadcast 10.8.0.9"]
sysctl = {"net.ipv4.conf.arp_announce" = 2}
"""

TUNED_DRIFT = """
tuntap add dev tun7 mode tun user root
link set dev tun7 addrgenmode none
link set tun7 up
addr add 10.7.0.1/24 broadcast 10.7.0.200 dev tun7
addr add 10.7.0.3/24 broadcast 10.7.0.201 dev tun7
route add 10.19.0.0/16 via 10.7.0.9 dev tun7 table 99 proto bird src 10.7.0.3
"""
SYSCTL_DRIFT = "+sysctl -q -w net.ipv4.conf.tun7.rp_filter=1 net.ipv6.conf.tun7.hop_limit=42"

# A port with addresses and routes, by which an administrator reaches the machine.
NIC = LINK + """
addr add 10.7.0.1/24 dev nic7
addr add 10.7.0.2/24 dev nic7
addr add fd00:7::1/64 dev nic7 nodad
route add 10.17.0.0/16 via 10.7.0.9 dev nic7
route add 10.18.0.0/16 via 10.7.0.9 dev nic7 proto dhcp metric 100 src 10.7.0.2
route add fd00:17::/64 via fd00:7::9 dev nic7
"""

MOVE = """
[bridge.br7]
mac = "02:00:00:00:07:a0"
ports = ["nic7"]
move_addresses = true
[device.tap7]
mac = "02:00:00:00:07:07"
master = "br7"
"""

# A network of the CNI plugin, and an IPAM plugin whose reservation is a file beside the records.
CNI = {"/run/cfg/net": '{"cniVersion":"1.1.0","name":"n","type":"tunadm-cni","owner":2,"alias":"x","bridge":"br0",'
                       '"ipam":{"type":"ipam"}}',
       "/run/cfg/ipam.sh": """#!/bin/sh
case $CNI_COMMAND in
ADD) echo reserved >/run/tunadm/ipam
     echo '{"cniVersion":"1.1.0","ips":[{"address":"10.1.2.2/24","gateway":"10.1.2.1"}],
            "routes":[{"dst":"10.9.0.0/16"}]}' ;;
DEL) rm -f /run/tunadm/ipam ;;
esac
"""}
