# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of packaging/test, with which it shares its variables
# The deb in a root that does not boot: the init script, and what dpkg leaves.

test_sysv() {
	local before
	bare sysv
	give
	before=$(tree)
	check 'dpkg installs the deb without an init' apart "$holds dpkg --install /opt/tunadm_$old-1_*.deb"
	check 'no runlevel starts it' same '' "$(find "$m"/etc/rc?.d -name 'S*tunadm')"
	check 'no unit is enabled' same '' "$(find "$m/etc/systemd" -name '*tunadm*')"
	declare_devices
	sed -i '/^master/d' "$m/etc/tunadm.toml"
	check 'the init script is enabled, and so are units' apart "$holds"'
		update-rc.d tunadm enable
		ls /etc/rcS.d/S??tunadm
		mkdir -p /etc/tunadm
		systemctl enable tunadm.service tunadm@lab.service
		test -L /etc/systemd/system/multi-user.target.wants/tunadm@lab.service'
	check 'an upgrade and a removal: devices in use stay, the others go' apart "$holds"'
		ip tuntap add dev foreign mode tun
		/etc/init.d/tunadm start
		test -e /sys/class/net/vm49
		holds tun77 tun
		index=$(cat /sys/class/net/tun77/ifindex)
		dpkg --install /opt/tunadm_$new-1_*.deb
		test "$(cat /sys/class/net/tun77/ifindex)" = "$index"
		test -e /sys/class/net/vm49
		dpkg --remove tunadm
		test "$(cat /sys/class/net/tun77/ifindex)" = "$index"
		kill -0 $holder
		gone vm49
		gone tap0
		test -e /sys/class/net/foreign
		test -x /etc/init.d/tunadm
		/etc/init.d/tunadm start || test $? = 5 # not installed
		gone vm49
		kill $holder'
	check 'nothing starts it after the removal' same '' \
		"$(find "$m/etc/systemd" "$m"/etc/rc?.d -name '*tunadm*' ! -name 'K*')"
	check 'the package is purged' apart "$holds dpkg --purge tunadm"
	rm -r "$m/etc/tunadm.toml" "$m/etc/tunadm.d" "$m/etc/tunadm"
	check 'nothing is left' diff <(echo "$before") <(tree)
	umount "$m" 2>/dev/null || true
}
