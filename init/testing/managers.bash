# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of init/test, with which it shares its variables
# Longer tests of the units: beside networkd, NetworkManager and ifupdown, each with a bridge, and with none.

test_managers() {
	local manager
	machine managers
	bridge_of_ifupdown
	last_script
	cat >"$m/etc/tunadm.toml" <<'T'
[device.tun77]
user      = "waldner"
addresses = ["10.0.0.1/24", "fd00:77::1/64"]
routes    = ["10.77.0.0/16"]

[device.tap0]
mac    = "02:00:5e:10:00:01"
master = "nm0"

[device.tap2]
mac    = "02:00:5e:10:00:02"
master = "nd0"
T
	printf '[NetDev]\nName=nd0\nKind=bridge\n' >"$m/etc/systemd/network/nd0.netdev"
	printf '[Match]\nName=nd0\n[Network]\nAddress=10.3.0.1/24\nConfigureWithoutCarrier=yes\n' \
		>"$m/etc/systemd/network/nd0.network"
	install -m 0600 /dev/stdin "$m/etc/NetworkManager/system-connections/nm0.nmconnection" <<'N'
[connection]
id=nm0
type=bridge
interface-name=nm0

[ipv4]
method=manual
address1=10.2.0.1/24
N
	# Ubuntu leaves all but wireless links to netplan.
	: >"$m/etc/NetworkManager/conf.d/10-globally-managed-devices.conf"
	systemctl --quiet --root="$m" enable systemd-networkd.service NetworkManager.service tunadm.service
	if ! boot; then
		fail 'a machine with three managers boots'
		return
	fi
	check 'with three managers, no unit fails' same running "$state"
	for manager in systemd-networkd NetworkManager networking; do
		check "tunadm.service is done before $manager.service starts" at_most \
			"$(property ActiveEnterTimestampMonotonic tunadm)" \
			"$(property ExecMainStartTimestampMonotonic $manager)"
	done
	check 'and ordered before network-pre.target' contains "$(property Before tunadm)" network-pre.target
	check 'ifupdown joins its tap' same br0 "$(master tap1)"
	check 'the tap of a bridge of NetworkManager joins it' same nm0 "$(master tap0)"
	check 'the tap of a bridge of networkd joins it' same nd0 "$(master tap2)"
	check 'the managers have configured their bridges' same '10.1.0.1/24 10.2.0.1/24 10.3.0.1/24' \
		"$(inside ip -o -4 addr | grep -o '10.[1-3].0.1/24' | sort | xargs)"
	check 'and nothing of the devices' inside tunadm status
	inside systemctl restart systemd-networkd NetworkManager
	check 'they leave the devices unchanged when they restart' wait_for 20 inside tunadm status
	power_off
}

# A master that never comes: after 45 s, the unit has failed.
test_never() {
	local ended
	machine never
	printf '[device.lab0]\nmode = "tap"\nmaster = "never0"\n' >"$m/etc/tunadm.toml"
	enable
	if ! boot; then
		fail 'a machine boots, although a master never comes'
		return
	fi
	ended=$(property InactiveEnterTimestampMonotonic tunadm-late)
	check 'a master that never comes: the late unit waits for 45 s' at_most 45000 \
		$(((ended - $(property InactiveExitTimestampMonotonic tunadm-late)) / 1000))
	check 'then systemctl --failed shows it' same degraded:tunadm-late.service \
		"$state:$(inside systemctl --failed --plain --no-legend | cut -d' ' -f1)"
	check 'the device is there' same lab0 "$(devices)"
	check 'and doctor names the master' contains "$(inside tunadm doctor)" 'not a port of never0, as declared'
	power_off
}
