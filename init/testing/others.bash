# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of init/test, with which it shares its variables
# Without systemd: the same root, not booted, in separate namespaces.

# apart SCRIPT runs the script in the machine, for $patience seconds at most.
patience=60
apart() {
	timeout "$patience" unshare --net --mount --pid --fork --kill-child -- sh -c '
		mount -t proc proc "$1/proc" && mount -t sysfs sysfs "$1/sys" && mount -t tmpfs tmpfs "$1/run" &&
		mkdir -p "$1/dev/net" && : >"$1/dev/net/tun" && mount --bind "$2" "$1/dev/net/tun" &&
		mkdir -p "$1/run/network" && ip link set lo up && exec chroot "$1" sh -c "$3"' sh "$m" "$work/tun" "$1"
}

# holds is a shell function for such a script: it attaches to a device as waldner, in the background.
holds='holds() {
	setpriv --reuid=1000 --regid=1000 --clear-groups attach "$1" "$2" >/tmp/holder &
	holder=$!
	for i in $(seq 500); do grep -q attached /tmp/holder && return; sleep 0.01; done
	return 1
}
gone() { [ ! -e "/sys/class/net/$1" ]; }
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
set -ex
'

test_ifupdown() {
	machine ifupdown
	cat >"$m/etc/network/interfaces" <<'I'
iface tun77 inet static
    address 10.0.0.1/24
    tunadm-mode tun
    tunadm-user waldner
    tunadm-mtu 1400
    tunadm-multi-queue yes
    tunadm-alias two words; $(touch /tmp/evil)
iface tap0 inet manual
    tunadm-mode tap
    tunadm-group lab
    tunadm-mac 02:00:5e:10:00:01
    tunadm-txqueuelen 77
    tunadm-vnet-hdr yes
    tunadm-pi no
    tunadm-master br0
iface both inet static
    address 10.2.0.1/24
    tunadm-mode tun
    tunadm-anyone yes
iface both inet6 static
    address fd00:2::1/64
    dad-attempts 0
iface other inet manual
    up ip link set other up
iface odd inet manual
    tunadm-mode tap
    tunadm-pi maybe
iface slip inet manual
    tunadm-mode tap
    tunadm-usr waldner
I
	check 'ifup makes a device, with its owner, address and all' apart "$holds"'
		ifup tun77
		test "$(cat /sys/class/net/tun77/owner)" = 1000
		test "$(cat /sys/class/net/tun77/mtu)" = 1400
		test $(($(cat /sys/class/net/tun77/tun_flags) & 0x100)) != 0 # IFF_MULTI_QUEUE
		ip link show tun77 | grep -F "alias two words; \$(touch /tmp/evil)"
		test ! -e /tmp/evil
		ip addr show tun77 | grep "inet 10.0.0.1/24"
		ifdown tun77
		gone tun77'
	check 'ifup makes a tap in a bridge' apart "$holds"'
		ip link add br0 type bridge
		ifup tap0
		ip -d link show tap0 | grep "master br0"
		ip -d link show tap0 | grep "vnet_hdr on"
		test "$(cat /sys/class/net/tap0/group)" = 1001
		test "$(cat /sys/class/net/tap0/address)" = 02:00:5e:10:00:01
		test "$(cat /sys/class/net/tap0/tx_queue_len)" = 77
		ifdown tap0
		gone tap0'
	check 'a device that is there and as declared will do' apart "$holds"'
		tunadm add tun77 --user waldner --mtu 1400 --multi-queue --alias "two words; \$(touch /tmp/evil)"
		ifup tun77
		ip addr show tun77 | grep "inet 10.0.0.1/24"'
	check 'one that differs is refused, and stays' apart "$holds"'
		tunadm add tun77 --user root
		if ifup tun77; then exit 1; fi
		test "$(cat /sys/class/net/tun77/owner)" = 0'
	check 'a device in use is kept, and named' apart "$holds"'
		ip link add br0 type bridge
		tunadm add tap0 --group lab --mac 02:00:5e:10:00:01 --txqueuelen 77 --vnet-hdr --master br0
		ifup both
		holds both tun
		ifdown both 2>&1 | tee /tmp/said
		grep "both.*in use by attach" /tmp/said
		test -e /sys/class/net/both
		test -z "$(ifquery --state both)"
		kill $holder
		wait $holder || true
		ifup both
		ifdown both
		gone both'
	check 'a stanza for each address family' apart "$holds"'
		ifup both
		ip addr show both | grep "inet 10.2.0.1/24"
		ip addr show both | grep "inet6 fd00:2::1/64"
		ifdown both
		gone both'
	check 'a stanza without tunadm-mode is left alone' apart "$holds"'
		tunadm add other --mode tap
		ifup other
		ifdown other
		test -e /sys/class/net/other'
	check 'neither yes nor no is a mistake' apart "$holds"'
		if ifup odd 2>/tmp/said; then exit 1; fi
		grep "tunadm-pi maybe" /tmp/said
		gone odd
		if ifup slip 2>/tmp/said; then exit 1; fi
		grep "tunadm: slip: unknown option tunadm-usr" /tmp/said
		gone slip'
	umount "$m" 2>/dev/null || true
}

# scripts START STOP RESTART RELOAD tests an init script of either kind.
scripts() {
	declare_devices
	echo "$holds"'
	cd /
	ip tuntap add dev foreign mode tun
	'"$1"'
	test "$(cat /sys/class/net/tun77/owner)" = 1000
	test -e /sys/class/net/vm49
	test -e /sys/class/net/tap0
	rm /etc/tunadm.d/lab.toml
	'"$4"'
	gone vm49
	test -e /sys/class/net/tun77
	holds tun77 tun
	index=$(cat /sys/class/net/tun77/ifindex)
	'"$3"'
	test "$(cat /sys/class/net/tun77/ifindex)" = "$index"
	test -e /sys/class/net/tap0
	'"$2"'
	test "$(cat /sys/class/net/tun77/ifindex)" = "$index"
	gone tap0
	kill $holder
	wait $holder || true
	'"$1"'
	'"$2"'
	gone tun77
	test -e /sys/class/net/foreign'
}

test_lsb() {
	local lsb=/etc/init.d/tunadm
	machine lsb
	place tunadm.lsb 0755 "$m$lsb"
	check 'the LSB script starts, reloads, restarts and stops' \
		apart "$(scripts "$lsb start" "$lsb stop" "$lsb restart" "$lsb force-reload")"
	check 'its status is 3 before and without the master, 0 after, and a mistake in the file 4' apart "$holds"'
		rm -f /etc/tunadm.d/*
		status() { code=0; '"$lsb"' status || code=$?; }
		status; test "$code" = 3
		'"$lsb"' start
		status; test "$code" = 3
		ip link add br0 type bridge
		'"$lsb"' start
		status; test "$code" = 0
		echo x >>/etc/tunadm.toml
		status; test "$code" = 4
		if '"$lsb"' start; then exit 1; fi
		'"$lsb"' bogus || test $? = 2'
	umount "$m" 2>/dev/null || true
}

test_openrc() {
	local deb rc='openrc-run /etc/init.d/tunadm'
	# The files that openrc creates at boot.
	local openrc='mkdir -p /run/openrc && (cd /run/openrc && mkdir exclusive starting started stopping inactive failed)
		touch /run/openrc/softlevel /etc/insserv.conf
'
	machine openrc
	place tunadm.openrc 0755 "$m/etc/init.d/tunadm"
	if ! compgen -G "$m/opt/openrc_*.deb" >/dev/null; then
		skip 'the OpenRC script: there is no OpenRC'
		return
	fi
	for deb in "$m"/opt/*.deb; do
		dpkg-deb --fsys-tarfile "$deb" | tar --extract --keep-directory-symlink --directory="$m"
	done
	check 'the OpenRC script starts, reloads, restarts and stops' \
		apart "$openrc$(scripts "$rc start" "$rc stop" "$rc restart" "$rc reload")"
	check 'a link to it takes a file of its own' apart "$openrc$holds"'
		ln -s tunadm /etc/init.d/tunadm.lab
		printf "[device.lab0]\nmode = \"tap\"\n" >/etc/tunadm/lab.toml
		openrc-run /etc/init.d/tunadm.lab start
		test -e /sys/class/net/lab0
		gone tun77
		openrc-run /etc/init.d/tunadm.lab stop
		gone lab0'
	umount "$m" 2>/dev/null || true
}
