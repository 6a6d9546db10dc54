# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of init/test, with which it shares its variables
# Hosts that move to tunadm: after a reboot, everything is as it was with the old files.

# A boot script of tunctl, brctl and ifconfig lines, and what remains of it.
old_script() {
	cat >"$m/etc/rc.local" <<'S'
#!/bin/sh
# The devices of the lab.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ifconfig eth1 up
brctl addbr br0
brctl setfd br0 0
brctl stp br0 off
brctl addif br0 eth1
ifconfig br0 hw ether 02:00:5e:10:00:b0
ifconfig br0 10.1.0.1 netmask 255.255.255.0 up
for i in 0 1; do
	tunctl -u waldner -t tap$i
	ifconfig tap$i hw ether 02:00:5e:10:00:0$i
	brctl addif br0 tap$i
	ifconfig tap$i 0.0.0.0 promisc up
done
tunctl -g lab -t tap7
ifconfig tap7 hw ether 02:00:5e:10:00:07
ifconfig tap7 10.7.0.1 netmask 255.255.255.0 mtu 1400 up
route add -net 10.77.0.0 netmask 255.255.0.0 gw 10.7.0.2
ip tuntap add dev tun77 mode tun user waldner
ifconfig tun77 10.0.0.1 pointopoint 10.0.0.2 txqueuelen 77 up
route add -host 10.66.0.1 dev tun77
touch /run/booted
S
	chmod 0755 "$m/etc/rc.local"
}
rest_of_script() { printf '#!/bin/sh\nifconfig eth1 up\ntouch /run/booted\n' >"$m/etc/rc.local"; }

# The same for ifupdown.
old_interfaces() {
	cat >"$m/etc/network/interfaces" <<'I'
auto lo
iface lo inet loopback

auto tap0
iface tap0 inet manual
    pre-up tunctl -u waldner -t tap0
    pre-up ifconfig tap0 hw ether 02:00:5e:10:00:00
    up ifconfig tap0 up
    post-down tunctl -d tap0

auto br0
iface br0 inet static
    address 10.1.0.1
    netmask 255.255.255.0
    bridge_hw 02:00:5e:10:00:b0
    bridge_ports eth1 tap0
    bridge_stp off
    bridge_fd 0
    bridge_maxwait 0

auto tap7
iface tap7 inet static
    address 10.7.0.1/24
    hwaddress 02:00:5e:10:00:07
    mtu 1400
    pre-up tunctl -g lab -t tap7
    up route add -net 10.77.0.0 netmask 255.255.0.0 gw 10.7.0.2
    post-down tunctl -d tap7

auto tun77
iface tun77 inet static
    address 10.0.0.1
    netmask 255.255.255.255
    pointopoint 10.0.0.2
    pre-up ip tuntap add dev tun77 mode tun user waldner
    post-down tunctl -d tun77
I
}
rest_of_interfaces() {
	cat >"$m/etc/network/interfaces" <<'I'
auto lo eth1
iface lo inet loopback
iface eth1 inet manual
    pre-up ip link set eth1 addrgenmode none
I
}

# settled succeeds if the kernel has seen that taps without a program have no carrier, and no address is tentative.
settled() {
	[[ $(inside sh -c 'cat /sys/class/net/t*/operstate' | sort -u) == down ]] &&
		[[ -z $(inside ip -6 addr show tentative) ]]
}

# network prints the links, addresses, routes and ports of the machine, without indexes and timers. Also without what
# tunadm-as(8) lists: tunadm adds no broadcast addresses, its routes have the protocol static, and bridge-utils disables
# IPv6 on ports.
network() {
	wait_for 20 settled || echo 'the network does not settle' >&2
	inside sh -ec 'ip -d -j link; ip -d -j addr; ip -d -j route; ip -d -j -6 route; bridge -d -j link; bridge -j vlan' |
		jq --sort-keys 'walk(if type == "object" then del(.ifindex, .link, .link_index, .link_netnsid, .hello_timer,
				.tcn_timer, .topology_change_timer, .gc_timer, .inet6_addr_gen_mode) |
				if .local then del(.broadcast) elif .protocol == "boot" then .protocol = "static" else . end
			else . end) | sort_by(.ifname, .dst, .dev)'
}

# moves WHAT FILE tests that a machine has the same network before and after it moved, and that nothing is left out.
moves() {
	local before said
	machine "moving-$1"
	# It would configure eth1 as long as it is in no bridge.
	[[ $init != systemd ]] || systemctl --quiet --root="$m" disable NetworkManager.service
	"old_$1"
	[[ $1 == script ]] || last_script
	if ! boot; then
		fail "a machine with an old $1 boots"
		return
	fi
	check "$1: the old devices are there" same 'tap0 tap7 tun77' "$(devices | sed 's/ tap1//')"
	before=$(network)
	said=$(inside sh -c "tunadm import $2 2>&1 >/etc/tunadm.toml; cat /etc/tunadm.toml")
	power_off keep
	mount -o remount,rw "$m" # sysvinit leaves it read-only
	"rest_of_$1"
	enable
	boot || fail "a machine with an imported $1 boots"
	check "$1: after the import and a reboot, everything is as it was" identical "$before" "$(network)"
	check "$1: and as declared" inside tunadm status
	((failed == 0)) || echo "$said" >&2
	power_off
}
identical() { diff <(echo "$1") <(echo "$2"); }

test_moving() {
	moves script /etc/rc.local
	moves interfaces /etc/network/interfaces
}
