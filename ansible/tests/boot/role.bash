# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of test, with which it shares its variables
# The role, on a host that gets the program as a file, and on one that gets the package.

# role [FLAG...] runs the role with the program and the variables on standard input.
role() { play role "$@" < <(echo "tunadm_program: $tunadm" && cat); }

declared() {
	cat <<'V'
tunadm_defaults:
  user: waldner
tunadm_bridges:
  br0:
    addresses: [10.0.0.1/24]
tunadm_devices:
  tun77:
    mode: tun
    addresses: ["10.0.77.1/24"]
  tap[0-1]:
    mac: "02:00:5e:10:00:{n:02x}"
    master: br0
V
}

test_check() {
	role --check < <(declared)
	check 'with --check, a run on a new host succeeds' ended 0
	check 'it installs nothing' refused inside sh -c 'command -v tunadm || ls -d /etc/tunadm.d'
}

# there WHAT compares the host with the declarations.
there() {
	check "$1: the devices exist" same 'tap0 tap1 tun77' "$(devices)"
	check "$1: with their properties" same '1000 02:00:5e:10:00:01' \
		"$(attribute tun77 owner) $(attribute tap1 address)"
	check "$1: in the bridge" wait_for 60 tap_is_in br0
	check "$1: the units are enabled" same 'enabled enabled' "$(enabled)"
	check "$1: tunadm.service is active" same active "$(property ActiveState tunadm)"
	check "$1: and tunadm-late.service" wait_for 60 late_is_active
	check "$1: the file belongs to root" same '644 0 0' "$(stat -c '%a %u %g' "$m/etc/tunadm.d/ansible.toml")"
}

test_first_run() {
	local before
	role < <(declared)
	check 'the first run succeeds' ended 0
	there 'the program'
	check 'the program is installed' cmp "$tunadm" "$m/usr/local/bin/tunadm"
	check 'the unit runs it' contains "$(property ExecStart tunadm)" 'path=/usr/local/bin/tunadm'
	before=$(signs)
	role < <(declared)
	check 'the second run changes nothing' played 0 0
	check 'neither on the host' same "$before" "$(signs)"
}

# A device that is no longer declared is in use, and one is free.
test_change() {
	local started index
	started=$(property ActiveEnterTimestampMonotonic tunadm) index=$(attribute tap0 ifindex)
	attach vpnd
	role < <(declared | sed 's/tap\[0-1\]/tap[0-2]/; /tun77/,+2d')
	check 'another file is written, and the unit is reloaded' played 0 3
	check 'a reload creates and deletes devices, except one in use' same 'tap0 tap1 tap2 tun77' "$(devices)"
	inside systemctl stop vpnd
	role < <(declared | sed 's/tap\[0-1\]/tap[0-0]/; /tun77/,+2d')
	check 'the next change' played 0 3
	check 'deletes it, and another one' same tap0 "$(devices)"
	check 'the unit was not restarted, and the device not re-created' same "$started $index" \
		"$(property ActiveEnterTimestampMonotonic tunadm) $(attribute tap0 ifindex)"
	role < <(declared)
	check 'the devices are declared again' played 0 3
	there 'again'
}

test_next_task() {
	role --extra-vars '{"next_task_fails": true}' < <(declared | sed 's/tap\[0-1\]/tap[0-2]/')
	check 'a play in which the task after the role fails' ended 2
	check 'has created the device for this task' same 'tap0 tap1 tap2 tun77' "$(devices)"
	role < <(declared | sed 's/master: br0/master: br9/')
	check 'a declared master may not exist yet' played 0 3
	inside ip link add br9 type bridge
	check 'when it exists, the device joins it' wait_for 40 tap_is_in br9
	role < <(declared)
	check 'the next run changes the master' played 0 3
	check 'and the device joins it' wait_for 40 tap_is_in br0
}

# refuses WHAT PART runs the role with the variables on standard input: it fails, prints PART, and changes nothing.
refuses() {
	local before
	before=$(signs)
	role
	check "$1: the role fails" ended 2
	check "$1: the file is not valid" contains "$output" 'failed to validate'
	check "$1: the failure names it" contains "$output" "$2"
	check "$1: the file, the devices and the unit are as before" same "$before" "$(signs)"
}

test_mistakes() {
	refuses 'a mistake' 'mtu' < <(declared | sed 's/mode: tun/mtu: 5/')
	refuses 'an unknown user' 'nobody-has-this-name' < <(declared | sed 's/waldner/nobody-has-this-name/')
	printf '[device.tun5]\nmode = "tun"\n' >"$m/etc/tunadm.d/other.toml"
	refuses 'a device that another file declares' other.toml < <(declared | sed 's/tun77:/tun5:/')
	rm "$m/etc/tunadm.d/other.toml"
	printf '[device.tun5]\nmode = "tun"\n' >"$m/etc/tunadm.toml"
	refuses 'a device that /etc/tunadm.toml declares' tunadm.toml < <(declared | sed 's/tun77:/tun5:/')
	rm "$m/etc/tunadm.toml"
}

test_modules() {
	play modules </dev/null
	check 'the modules create, read and examine a device' played 0 1
	check 'which exists' contains " $(devices) " ' tun9 '
	play modules </dev/null
	check 'a second time they change nothing' played 0 0
}

test_reboot() {
	power_off keep
	if ! connect; then
		fail 'the host boots again'
		return
	fi
	check 'after a reboot no unit has failed' same running "$state"
	check 'the devices of the role and of the module exist' same 'tap0 tap1 tun77 tun9' "$(devices)"
	check 'the device of the module has its address' contains "$(inside ip -o -4 address show dev tun9)" ' 10.9.0.1/24 '
	role < <(declared)
	check 'after a reboot the role changes nothing' played 0 0
}

test_nothing_declared() {
	role </dev/null
	check 'without declarations, the role changes the host' played 0 3
	check 'the file is removed' refused test -e "$m/etc/tunadm.d/ansible.toml"
	check 'the devices are deleted, except that of the module' same tun9 "$(devices)"
	role </dev/null
	check 'the second run changes nothing' played 0 0
}

test_program() {
	host program
	if ! connect; then
		fail 'a host boots, and Ansible connects'
		return
	fi
	local part
	for part in check first_run change next_task mistakes modules reboot nothing_declared; do "test_$part"; done
	((failed == 0)) || inside journalctl --boot --no-pager --unit='tunadm*' >&2
	power_off
}

test_package() {
	local before deb
	deb=/opt/tunadm_$version-1_$(dpkg --print-architecture).deb
	host package
	cp "$releases/${deb##*/}" "$m/opt/"
	if ! connect; then
		fail 'a second host boots, and Ansible connects'
		return
	fi
	play role --check < <(echo "tunadm_package: $deb" && declared)
	check 'with --check, a run on a host without the package succeeds' ended 0
	check 'it installs nothing' refused inside sh -c 'command -v tunadm || ls -d /etc/tunadm.d'
	play role < <(echo "tunadm_package: $deb" && declared)
	check 'the role installs the package' ended 0
	check 'with this version' same "tunadm version $version" "$(inside tunadm --version)"
	there 'the package'
	check 'its unit is loaded' contains "$(property FragmentPath tunadm)" /lib/systemd/system/tunadm.service
	before=$(signs)
	play role < <(echo "tunadm_package: $deb" && declared)
	check 'the second run changes nothing' played 0 0
	check 'neither on the host' same "$before" "$(signs)"
	play role < <(echo 'tunadm_package: tunadm' && declared)
	check 'nor does a run with the name of the package' played 0 0
	power_off
}
