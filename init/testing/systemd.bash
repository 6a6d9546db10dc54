# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of init/test, with which it shares its variables
# The units, each test on a separate machine or on the machine of the preceding test.

declare_devices() {
	cat >"$m/etc/tunadm.toml" <<'T'
[device.tun77]
mode      = "tun"
user      = "waldner"
addresses = ["10.0.0.1/24", "fd00:77::1/64"]
mtu       = 1400

[device.tap0]
group  = "lab"
mac    = "02:00:5e:10:00:ff"
master = "br0"
T
	cat >"$m/etc/tunadm.d/lab.toml" <<'T'
[device."vm[0-49]"]
mode  = "tap"
group = "lab"
mac   = "02:00:5e:10:00:{n:02x}"
T
}

test_boot() {
	check 'a machine with declared devices boots without a failed unit' same running "$state"
	check 'a service after tunadm.service runs' same active "$(property ActiveState vpnd)"
	check 'it is attached as its user, and the address is there' \
		contains "$(journal --unit=vpnd)" 'user 1000 is attached to tun77: 10.0.0.1'
	check 'the device has its owner' same 1000 "$(attribute tun77 owner)"
	check 'and its MTU' same 1400 "$(attribute tun77 mtu)"
	check 'the devices are there before networkd starts' at_most "$(property ActiveEnterTimestampMonotonic tunadm)" \
		"$(property ExecMainStartTimestampMonotonic systemd-networkd)"
	check 'a range of devices is there' contains " $(devices) " ' vm49 '
	check 'a second apply finds nothing to do' inside tunadm apply --check
}

test_master() {
	check 'a bridge that systemd-networkd made gets its tap' wait_for 60 tap_is_in_bridge
	check 'by tunadm-late.service' contains "$(journal --unit=tunadm)" tap0
	check 'tunadm-late.service is done' wait_for 60 late_is_active
	check 'before network-online.target' contains "$(property Before tunadm-late)" network-online.target
}
tap_is_in_bridge() { [[ $(master tap0) == br0 ]]; }
late_is_active() { [[ $(property ActiveState tunadm-late) == active ]]; }

test_mac() {
	local i lost=0
	if ! inside timeout 60 udevadm settle; then
		skip 'a declared MAC and udev: udev does not run in the container'
		return
	fi
	check 'udev has seen the devices' inside test -e "/run/udev/data/n$(attribute vm49 ifindex)"
	check 'a declared MAC survives udev' same 02:00:5e:10:00:ff "$(attribute tap0 address)"
	for ((i = 0; i < 50; i++)); do
		[[ $(attribute "vm$i" address) == "$(printf '02:00:5e:10:00:%02x' "$i")" ]] || lost=$((lost + 1))
	done
	check 'so do fifty at once' same '0 lost' "$lost lost"
}

test_reload() {
	inside ip tuntap add dev foreign mode tun
	rm "$m/etc/tunadm.d/lab.toml"
	check 'a reload succeeds' inside systemctl reload tunadm
	check 'it deletes what is declared no more, and nothing else' same 'foreign tap0 tun77' "$(devices)"
}

test_restart() {
	local index process
	index=$(attribute tun77 ifindex) process=$(property MainPID vpnd)
	check 'a restart with a device in use succeeds' inside systemctl restart tunadm
	check 'it leaves that device alone' same "$index" "$(attribute tun77 ifindex)"
	check 'and its program' same "$process" "$(property MainPID vpnd)"
	check 'the journal says why' contains "$(journal --unit=tunadm)" \
		'in use by a program that this user may not examine'
	check 'the other devices are there again' same 'foreign tap0 tun77' "$(devices)"
	check 'in their bridge too' wait_for 60 tap_is_in_bridge
	check 'tunadm-late.service is done again' wait_for 60 late_is_active
}

test_stop() {
	check 'stopping with a device in use succeeds' inside systemctl stop tunadm
	check 'the unit has not failed' same inactive "$(property ActiveState tunadm)"
	check 'the device in use stays, the rest is gone' same 'foreign tun77' "$(devices)"
	inside systemctl stop vpnd
	inside systemctl start tunadm
	check 'when it is free, stopping succeeds' inside systemctl stop tunadm
	check 'and deletes it, but no foreign one' same foreign "$(devices)"
}

test_broken() {
	local good
	good=$(<"$m/etc/tunadm.toml")
	printf '%s\n\n[device.tun78]\nmod = "tun"\n' "$good" >"$m/etc/tunadm.toml"
	inside systemctl reset-failed
	check 'a mistake in the file fails the unit' refused inside systemctl start tunadm
	check 'the journal says where' contains "$(journal --unit=tunadm)" \
		"/etc/tunadm.toml:$(wc -l <"$m/etc/tunadm.toml"):1"
	check 'nothing is touched' same foreign "$(devices)"
	check_mistake tunadm-late
	echo "$good" >"$m/etc/tunadm.toml"
	check 'it is corrected, and the unit starts' inside systemctl start tunadm
	check 'with the devices' same 'foreign tap0 tun77' "$(devices)"
	inside systemctl stop tunadm
}

# check_mistake UNIT starts a unit whose file has a mistake: it fails at once, and no timer or restart tries it again.
check_mistake() {
	local from
	from=$(milliseconds)
	check "$1: a mistake fails the unit" refused inside systemctl restart "$1"
	check "$1: at once" at_most $(($(milliseconds) - from)) 10000
	check "$1: a mistake is not tried again" same 'failed 0' \
		"$(property ActiveState "$1") $(property NRestarts "$1")"
}

# check_user UNIT starts a unit whose file names the user "later", who appears while it waits.
check_user() {
	inside systemctl --no-block start "$1"
	check "$1: a missing user is waited for" wait_for 20 is "$1" activating
	check "$1: there is no device yet" lacks " $(devices) " ' lab0 '
	mkdir -p "$m/etc/userdb" # a user that is not in /etc/passwd
	echo '{"userName": "later", "uid": 7777, "gid": 7777, "disposition": "regular"}' >"$m/etc/userdb/later.user"
	check "$1: it is done when the name service knows him" wait_for 60 is "$1" active
	check "$1: he owns the device" same 7777 "$(attribute lab0 owner)"
	check "$1: the unit was started once" same 0 "$(property NRestarts "$1")"
	inside systemctl stop "$1"
	rm "$m/etc/userdb/later.user"
}
is() { [[ $(property ActiveState "$1") == "$2" ]]; }

# check_never UNIT starts a unit whose file names a master that never comes. The unit waits for a shorter time here.
check_never() {
	local from
	mkdir -p "$m/etc/systemd/system/$1.service.d"
	{
		printf '[Service]\nExecStart=\n'
		sed -n 's/--wait=45s/--wait=3s/p' "$m/usr/local/lib/systemd/system/$1.service"
	} >"$m/etc/systemd/system/$1.service.d/wait.conf"
	inside systemctl daemon-reload
	from=$(milliseconds)
	check "$1: a master that never comes fails the unit" refused inside systemctl start "$1"
	check "$1: after it has waited" at_most 3000 $(($(milliseconds) - from))
	check "$1: systemctl --failed shows it" contains "$(inside systemctl --failed --plain --no-legend)" "$1.service"
	check "$1: the journal names the master" contains "$(journal --unit="$1")" 'tunadm: apply lab0: master never0'
	inside systemctl reset-failed "$1"
	rm -r "$m/etc/systemd/system/$1.service.d"
	inside systemctl daemon-reload
}

test_late() {
	printf '[device.lab0]\nmode = "tap"\nuser = "later"\n' >"$m/etc/tunadm.d/late.toml"
	check_user tunadm-late
	inside tunadm delete lab0
	printf '[device.lab0]\nmode = "tap"\nmaster = "never0"\n' >"$m/etc/tunadm.d/late.toml"
	check_never tunadm-late
	rm "$m/etc/tunadm.d/late.toml"
	inside systemctl start tunadm
	inside systemctl stop tunadm
}

test_instance() {
	printf '[device.lab0]\nmode = "tap"\nuser = "waldner"\n' >"$m/etc/tunadm/lab.toml"
	check 'tunadm@lab makes the devices of /etc/tunadm/lab.toml' inside systemctl start tunadm@lab
	check 'and no other' same 'foreign lab0' "$(devices)"
	check 'stopped, it deletes them' inside systemctl stop tunadm@lab
	check 'and no other' same foreign "$(devices)"
	check_mistake tunadm@missing # its file does not exist
	inside systemctl reset-failed
	printf '[device.lab0]\nmode = "tap"\nmaster = "late0"\n' >"$m/etc/tunadm/lab.toml"
	inside systemctl --no-block start tunadm@lab
	check 'an instance waits for its master' wait_for 20 is tunadm@lab activating
	inside ip link add late0 type bridge
	check 'and succeeds when the master comes' wait_for 60 is tunadm@lab active
	check 'with the master' same late0 "$(master lab0)"
	mv "$m/etc/tunadm/lab.toml" "$m/etc/tunadm/lab.old"
	check 'a restart without its file is refused' refused inside systemctl restart tunadm@lab
	check 'and its device is not lost' same 'foreign lab0' "$(devices)"
	mv "$m/etc/tunadm/lab.old" "$m/etc/tunadm/lab.toml"
	inside systemctl reset-failed
	check 'with the file, it starts' inside systemctl start tunadm@lab
	inside systemctl stop tunadm@lab
	printf '[device.lab0]\nmode = "tap"\nuser = "later"\n' >"$m/etc/tunadm/lab.toml"
	check_user tunadm@lab
}

# The timer writes what an administrator sees, for the user of prometheus-node-exporter. It takes a minute.
test_metrics() {
	machine metrics
	declare_devices
	if ! boot; then
		fail 'a machine boots for the metrics'
		return
	fi
	local directory=/var/lib/prometheus/node-exporter expected='^tunadm_(device_(info|up|queues)|declared|doctor)'
	check 'without its directory, metrics does nothing' inside systemctl start tunadm-metrics.service
	check 'and does not fail' same 'no success' \
		"$(property ConditionResult tunadm-metrics) $(property Result tunadm-metrics)"
	mkdir -p "$m$directory"
	inside tunadm add tun9 --quiet --user waldner --address 10.9.0.1/24 --alias 'a "quoted" text'
	inside systemctl start tunadm-metrics.timer
	check 'the timer of the metrics writes them' wait_for 20 test -s "$m$directory/tunadm.prom"
	check 'and nothing else' same tunadm.prom "$(ls -A "$m$directory")"
	check 'for all users' same '644 0' "$(stat -c '%a %u' "$m$directory/tunadm.prom")"
	check 'they are the same as without a sandbox' same "$(inside tunadm metrics | grep -E "$expected")" \
		"$(grep -E "$expected" "$m$directory/tunadm.prom")"
	check 'the error of a device is there' contains "$(cat "$m$directory/tunadm.prom")" \
		'tunadm_doctor_errors{check="down"} 1'
	rm "$m$directory/tunadm.prom"
	check 'and again a minute later' wait_for 90 test -s "$m$directory/tunadm.prom"
	((failed == 0)) || inside journalctl --boot --no-pager --unit='tunadm-metrics*' >&2
	power_off
}

# hold keeps the carrier while its program and hold itself are replaced. What it says is read from the kernel.
test_hold() {
	local device=/sys/class/net/q0 changes pid
	inside tunadm add q0 --quiet --mode tun --multi-queue --user waldner --up
	check 'tunadm-hold@q0 is ready when the carrier is on' inside systemctl start tunadm-hold@q0
	check 'and it is' same 1 "$(inside cat $device/carrier)"
	changes=$(inside cat $device/carrier_changes)
	pid=$(property MainPID tunadm-hold@q0)
	check 'a restart of hold' inside systemctl restart tunadm-hold@q0
	check 'is another process' refused same "$pid" "$(property MainPID tunadm-hold@q0)"
	check 'that has the queue of the old one' same '1 1' "$(property NFileDescriptorStore tunadm-hold@q0) $(queues)"
	check 'and the carrier did not change' same "$changes" "$(inside cat $device/carrier_changes)"
	pid=$(property MainPID tunadm-hold@q0)
	inside systemctl kill --signal=KILL tunadm-hold@q0
	check 'after a crash, hold starts again' wait_for 20 started_again "$pid"
	check 'with the same queue' same 1 "$(queues)"
	check 'and the carrier did not change' same "$changes" "$(inside cat $device/carrier_changes)"
	check 'a device that is held is not deleted' refused inside tunadm delete q0
	check 'hold stops' inside systemctl stop tunadm-hold@q0
	check 'and the carrier is off' wait_for 20 carrier_is 0
	check 'no queue is left' same 0 "$(queues)"
	inside systemctl start tunadm-hold@q0
	inside ip link delete q0
	check 'hold ends with its device' wait_for 20 is tunadm-hold@q0 activating
	inside tunadm add q0 --quiet --mode tun --multi-queue --up
	check 'and holds a new one of that name' wait_for 20 carrier_is 1
	inside systemctl stop tunadm-hold@q0
	inside tunadm delete q0
}
queues() { inside tunadm list q0 --json | jq '.[0].disabled_queues'; }
carrier_is() { [[ $(inside cat /sys/class/net/q0/carrier) == "$1" ]]; }
started_again() {
	[[ $(property ActiveState tunadm-hold@q0) == active && $(property MainPID tunadm-hold@q0) != "$1" ]]
}

# A hostile program instead of tunadm finds no way out of the sandbox of the unit.
test_hostile() {
	local unit tries
	tries=$(inside /usr/local/bin/hostile)
	check 'a hostile program does its worst outside the units' lacks "$tries" 'refused: '
	rm -f "$m/etc/hostile"
	mkdir -p "$m/var/lib/prometheus/node-exporter" # otherwise tunadm-metrics.service does not start
	cp "$work/hostile" "$m/usr/local/bin/tunadm"
	for unit in tunadm.service tunadm-late.service tunadm@lab.service tunadm-metrics.service tunadm-hold@x.service; do
		inside systemctl reset-failed
		inside systemctl start "$unit" 2>/dev/null || true # it does not report that it is ready
		tries=$(journal --unit="$unit")
		check "$unit: each of its tries is told" contains "$tries" 'end of the tries'
		check "$unit: and refused" lacks "$tries" 'done: '
		inside systemctl stop "$unit"
	done
	check 'the files of the machine are untouched' refused test -e "$m/etc/hostile"
	cp "$tunadm" "$m/usr/local/bin/tunadm"
}

test_score() {
	local unit line
	for unit in $units; do
		[[ $unit == *.service ]] || continue
		unit=${unit/@/@x}
		line=$(inside systemd-analyze --no-pager --threshold=20 security "$unit" | tail -n 1)
		check "systemd-analyze security: ${line#* } (at most 2.0)" \
			inside systemd-analyze --no-pager --threshold=20 security "$unit"
	done
	# shellcheck disable=SC2086 # a list of words
	check 'systemd has nothing to say about the units' same '' \
		"$(inside systemd-analyze --man=no verify ${units/@/@x} 2>&1 |
			grep tunadm || true)"
}

test_systemd() {
	machine systemd
	with_udev
	declare_devices
	mkdir -p "$m/etc/systemd/network"
	printf '[NetDev]\nName=br0\nKind=bridge\n' >"$m/etc/systemd/network/br0.netdev"
	printf '[Match]\nName=br0\n[Network]\nAddress=10.1.0.1/24\nConfigureWithoutCarrier=yes\n' \
		>"$m/etc/systemd/network/br0.network"
	# The problem that the manual describes, and its fix.
	printf '[Match]\nName=*\n[Network]\nDHCP=yes\n' >"$m/etc/systemd/network/zz-all.network"
	printf '[Match]\nKind=tun\n[Link]\nUnmanaged=yes\n' >"$m/etc/systemd/network/05-tunadm.network"
	systemctl --quiet --root="$m" enable systemd-networkd.service tunadm.service
	# As early as tunadm.service itself, so it waits only because of the ordering.
	service vpnd.service $'DefaultDependencies=no\nWants=tunadm.service\nAfter=tunadm.service' \
		$'Type=notify\nUser=waldner\nExecStart=/usr/local/bin/attach tun77 tun'
	if ! boot; then
		fail 'a machine boots'
		return
	fi
	local part
	for part in boot master mac reload restart refused stop broken late instance hold hostile score; do
		"test_$part"
	done
	((failed == 0)) || inside journalctl --boot --no-pager --unit='tunadm*' --unit=vpnd >&2
	power_off
}

# off DEVICES HOW sets took to the time to power off with this number of devices.
off() {
	local started ended
	machine "off-$1-$2"
	(($1 == 0)) || printf '[device."t[1-%d]"]\nmode = "tun"\nuser = "waldner"\naddresses = ["10.0.0.1/32"]\n' "$1" \
		>"$m/etc/tunadm.toml"
	systemctl --quiet --root="$m" enable tunadm.service
	if [[ $2 == used ]]; then # by a program that is stopped last
		service holder.service $'DefaultDependencies=no\nAfter=tunadm.service' \
			$'Type=notify\nUser=waldner\nExecStart=/usr/local/bin/attach t1 tun'
	fi
	if ! boot; then
		fail "a machine boots with $1 devices ($2)"
		return
	fi
	check "$1 devices ($2): they exist" same "$1 running active" \
		"$(devices | wc -w) $state $(property ActiveState tunadm)"
	started=$(property InactiveExitTimestampMonotonic tunadm)
	ended=$(property ActiveEnterTimestampMonotonic tunadm)
	power_off
	started=$(((ended - started) / 1000))
	echo "# $1 devices ($2): tunadm.service started in $started ms, the machine was off in $took ms"
}

test_power_off() {
	local none
	off 0 free
	none=$took
	off 1 free
	check 'one device does not delay powering off' at_most "$took" $((none + 500))
	off 1 used
	check 'nor does one in use' at_most "$took" $((none + 500))
	off 1000 free
	check 'nor do 1000' at_most "$took" $((none + 1000))
	off 1000 used
	check 'nor 1000, of which one is in use' at_most "$took" $((none + 1000))
}
