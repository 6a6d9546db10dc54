# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of init/test, with which it shares its variables
# The scripts, with sysvinit or OpenRC as the init of the machine; and what they have in common with the units.

# enable makes the machine start tunadm at boot. Debian's OpenRC configures the network in the run level sysinit.
enable() {
	case $init in
	systemd) systemctl --quiet --root="$m" enable tunadm.service ;;
	sysvinit) chroot "$m" update-rc.d tunadm defaults ;;
	openrc) chroot "$m" rc-update --quiet add tunadm sysinit ;;
	esac
}

# rc COMMAND runs a command of the init for tunadm, and prints what it prints.
rc() {
	case $init in
	systemd) inside systemctl "$1" tunadm 2>&1 || { inside systemctl status tunadm || false; } ;;
	sysvinit) inside /etc/init.d/tunadm "$1" 2>&1 ;;
	openrc) inside rc-service tunadm "$1" 2>&1 ;;
	esac
}

# last_script [COMMAND] makes the last script of the boot run a command, and report that the machine has started.
last_script() {
	printf '#!/bin/sh\n%s\ntouch /run/booted\n' "${1-}" >"$m/etc/rc.local"
	chmod 0755 "$m/etc/rc.local"
}

# bridge_of_ifupdown makes ifupdown create a bridge at boot, of eth1 and of a tap that must exist by then.
bridge_of_ifupdown() {
	cat >"$m/etc/network/interfaces" <<'I'
auto lo br0
iface lo inet loopback
iface br0 inet static
    address 10.1.0.1/24
    bridge_ports eth1 tap1
    bridge_fd 0
    bridge_maxwait 0
I
	printf '[device.tap1]\nmode = "tap"\nuser = "waldner"\n' >"$m/etc/tunadm.d/ports.toml"
}

# hold DEVICE MODE attaches a program of waldner to a device in the machine.
hold() {
	inside setsid --fork setpriv --reuid=1000 --regid=1000 --clear-groups attach "$1" "$2" >/dev/null 2>&1
	wait_for 10 in_use "$1"
}
in_use() { [[ $(attribute "$1" carrier) == 1 ]]; }

indexes() { inside sh -c 'cd /sys/class/net && grep . */ifindex'; }

# refuse_restart WHAT TEXT tests that a restart with a bad file fails, prints the text, and leaves all devices alone.
refuse_restart() {
	local before said
	before=$(indexes)
	[[ $init != systemd ]] || inside systemctl reset-failed # it counts the starts
	if said=$(rc restart); then
		fail "$1: a restart is refused"
		return
	fi
	check "$1: a restart is refused, and the reason printed" contains "$said" "$2"
	[[ $init != systemd ]] || said=$(journal --unit=tunadm --lines=40) # the status has only the start
	check "$1: and that no device is deleted" contains "$said" 'so --if-valid keeps them'
	rc start >/dev/null || true
	check "$1: no device is lost" same "$before" "$(indexes)"
	rm "$bad"
	check "$1: tunadm starts without it" rc start
	check "$1: with the same devices" same "$before" "$(indexes)"
}

# refuse_stop tests that systemd's stop with a mistake in a file deletes nothing: it may be the first half of a restart.
refuse_stop() {
	local before
	before=$(indexes)
	inside systemctl stop tunadm || true # 0, although the unit fails
	check 'a stop with a mistake in a file deletes no device' same "$before" "$(indexes)"
	check 'the unit has failed' same failed "$(property ActiveState tunadm)"
	rm "$bad"
	check 'it starts without the mistake' rc start
	check 'with the same devices' same "$before" "$(indexes)"
}

# test_refused requires a machine that has started, and leaves it as it is.
test_refused() {
	local bad=$m/etc/tunadm.d/bad.toml
	printf '[bridge.br9]\naddresses = ["10.9.0.1/24"]\n[device.tap9]\nmaster = "br9"\n' >"$m/etc/tunadm.d/br9.toml"
	check 'a reload creates a bridge and its port' rc reload
	check 'the bridge has its port' same br9 "$(master tap9)"
	printf '[device.bad0]\nmode = "tun"\nmtu = "large"\n' >"$bad"
	refuse_restart 'a mistake in a file' '/etc/tunadm.d/bad.toml:3:7: '
	printf '[device.bad0]\nmode = "tun"\nuser = "nosuch"\n' >"$bad"
	refuse_restart 'an unknown user' 'user "nosuch": no such user'
	printf '[device.bad0]\nmode = "tun"\n' >"$bad"
	chmod 0666 "$bad"
	refuse_restart 'a file that must not be trusted' '/etc/tunadm.d/bad.toml: '
	ln -s missing "$bad"
	refuse_restart 'a file that cannot be read' '/etc/tunadm.d/bad.toml: '
	if [[ $init == systemd ]]; then
		printf '[device.bad0]\nmod = "tun"\n' >"$bad"
		refuse_stop
		inside systemctl start tunadm-late
	fi
	rm "$m/etc/tunadm.d/br9.toml"
	check 'a reload deletes the bridge and its port' rc reload
	check 'and leaves nothing of them' lacks "$(indexes)" br9/
}

# said prints what the scripts have printed.
said() { tr -d '\r\0' <"$work/console"; }
said_at_end() { said | grep '^tunadm: teardown: '; }

test_scripts() {
	local index
	machine scripts
	declare_devices
	bridge_of_ifupdown
	last_script '/usr/local/bin/tunadm apply --wait=30s'
	enable
	if ! boot; then
		fail 'a machine boots'
		return
	fi
	check 'at boot, the devices are created' contains " $(devices) " ' tap0 tap1 tun77 vm0 '
	check 'with their owner and MTU' same '1000 1400' "$(attribute tun77 owner) $(attribute tun77 mtu)"
	check 'before the network: a bridge of ifupdown has its tap' same br0 "$(master tap1)"
	check 'the last script adds the tap that joins it' same br0 "$(master tap0)"
	check 'a second apply finds nothing to do' inside tunadm apply --check
	inside ip tuntap add dev foreign mode tun
	rm "$m/etc/tunadm.d/lab.toml"
	check 'a reload succeeds' rc reload
	check 'it deletes what is declared no more, and nothing else' same 'foreign tap0 tap1 tun77' "$(devices)"
	test_refused
	hold tun77 tun
	index=$(attribute tun77 ifindex)
	check 'a restart with a device in use succeeds' rc restart
	check 'it leaves that device alone' same "$index" "$(attribute tun77 ifindex)"
	check 'the others are there again' same 'foreign tap0 tap1 tun77' "$(devices)"
	check 'in their bridge too' same br0 "$(master tap0)"
	check 'a stop with a device in use succeeds' rc stop
	check 'the device in use stays, the rest is gone' same 'foreign tun77' "$(devices)"
	check 'it starts again' rc start
	power_off
	check 'with a device in use, the machine is soon off' at_most "$took" 30000
	check 'and its devices are deleted' contains "$(said_at_end)" ' deleted'
}

# trouble WHAT TEXT [ARGUMENT] boots the machine, in which tunadm fails: the boot goes on, and a message has the text.
trouble() {
	local said
	bridge_of_ifupdown
	last_script
	enable
	if ! boot "${@:3}"; then
		fail "$1: the machine boots"
		return
	fi
	check "$1: the machine boots, with its network" contains "$(inside ip addr show br0)" 10.1.0.1/24
	case $init in
	systemd)
		check "$1: the unit has failed" same 'degraded failed' "$state $(property ActiveState tunadm)"
		said=$(journal --unit=tunadm)
		;;
	*) said=$(said) ;;
	esac
	check "$1: the reason is printed" contains "$said" "$2"
	if [[ $1 == *user ]]; then
		check "$1: the other devices are there" same tap1 "$(devices)"
	fi
	power_off
}

test_troubles() {
	machine no-driver
	trouble 'no driver' 'tunadm: apply tap1: /dev/net/tun: no such node' --tmpfs=/dev/net
	machine unreadable
	ln -s missing "$m/etc/tunadm.toml"
	trouble 'an unreadable file' 'tunadm: apply: /etc/tunadm.toml: no such file or directory'
	machine no-user
	printf '[device.lab0]\nmode = "tap"\nuser = "nosuch"\n' >"$m/etc/tunadm.toml"
	trouble 'a missing user' 'tunadm: apply lab0: user "nosuch": no such user'
}
