# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of packaging/test, with which it shares its variables
# The deb on a machine that runs systemd.

# give copies the debs of both versions to the machine.
give() {
	cp "$releases/$old"/*.deb "$releases/$new"/*.deb "$m/opt/"
}

# apt ARGUMENT... installs or removes in the machine, without a network.
apt() { inside env DEBIAN_FRONTEND=noninteractive apt-get -qq -y "$@"; }

# tree prints the paths of the machine's files, without those that every boot and apt write.
tree() {
	(cd "$m" && find . \( -path ./var/log -o -path ./var/cache -o -path ./var/lib/apt -o -path ./run -o -path ./tmp \
		-o -path ./proc -o -path ./sys -o -path ./dev -o -path ./opt \) -prune -o -print | sort)
}

# attach UNIT starts a unit whose program is attached to tun77 as waldner.
attach() {
	inside systemd-run --quiet --unit="$1" --uid=waldner --property=Type=notify -- /usr/local/bin/attach tun77 tun
}

# enabled prints whether each unit is enabled.
enabled() { inside systemctl is-enabled tunadm.service tunadm-late.service 2>&1 | xargs; }

test_deb_install() {
	check 'apt installs the deb' apt install "/opt/tunadm_$old-1_$debian_arch.deb"
	check 'with this version' same "tunadm version $old" "$(inside tunadm --version)"
	check 'no unit is enabled' same 'disabled disabled' "$(enabled)"
	check 'no unit has started' same 'inactive inactive' \
		"$(property ActiveState tunadm) $(property ActiveState tunadm-late)"
	check 'systemd knows the units' same loaded "$(property LoadState tunadm)"
	check 'there is a directory for files, and no file in it' same '' "$(ls -A "$m/etc/tunadm.d")"
	check 'each file is as packed' same '' "$(inside dpkg --verify tunadm)"
	check 'no unit of the system fails' same running "$(inside systemctl is-system-running)"
}

# The session at the beginning of the README: as root with sudo, otherwise as a user.
test_first_session() {
	local as_waldner='setpriv --reuid=1000 --regid=1000 --clear-groups --'
	check 'the first session: add' same tun77 \
		"$(inside tunadm add tun77 --user waldner --address 10.0.0.1/24 --up)"
	check 'a program of the user attaches without root' attach first
	check 'list' contains "$(inside tunadm)" 'tun77  tun   up     waldner  1500  -    -       10.0.0.1/24  attach('
	# shellcheck disable=SC2086 # words
	check 'an ordinary user lists it, too' contains "$(inside $as_waldner tunadm list)" 'tun77  tun'
	check 'set' inside tunadm set tun77 --mtu 1400 --add-route '10.1.0.0/16 via 10.0.0.2'
	check 'delete is refused while it is in use' contains "$(inside tunadm delete tun77 2>&1)" \
		'tunadm: delete tun77: in use by attach (pid'
	inside systemctl stop first
	check 'and succeeds when it is free' inside tunadm delete tun77
}

test_deb_boot() {
	declare_devices
	sed -i '/^master/d' "$m/etc/tunadm.toml" # there is no bridge
	check 'the unit is enabled and started' inside systemctl -q enable --now tunadm
	check 'the devices are there' contains " $(devices) " ' tap0 tun77 vm0 '
	check 'both units are enabled' same 'enabled enabled' "$(enabled)"
	power_off keep
	if ! boot; then
		fail 'the machine boots again'
		return
	fi
	check 'after a reboot the units are active' same 'running active' "$state $(property ActiveState tunadm)"
	check 'and the devices are there' contains " $(devices) " ' tap0 tun77 vm0 '
	inside ip tuntap add dev foreign mode tun
	attach vpnd
}

# signs prints what an upgrade may not change: the devices, the program that uses one, and when the unit started.
signs() {
	echo "$(devices) $(attribute tun77 ifindex) $(attribute vm0 ifindex) $(property MainPID vpnd)" \
		"$(property ActiveEnterTimestampMonotonic tunadm) $(property ActiveState tunadm) $(enabled)"
}

test_deb_upgrade() {
	local before
	before=$(signs)
	check 'the upgrade succeeds while a program uses a device' apt install "/opt/tunadm_$new-1_$debian_arch.deb"
	check 'to the new version' same "tunadm version $new" "$(inside tunadm --version)"
	check 'it restarts nothing, and keeps every device' same "$before" "$(signs)"
	check 'the program still has its device' contains "$(inside tunadm list)" 'attach('
	check 'systemd has read the new units' same no "$(property NeedDaemonReload tunadm)"
	check 'for the new version, every device is as declared' inside tunadm apply --check --prune
	check 'a downgrade restarts nothing either' apt --allow-downgrades install "/opt/tunadm_$old-1_$debian_arch.deb"
	check 'and keeps every device' same "$before" "$(signs)"
	check 'for the old version, too' inside tunadm apply --check --prune
	apt install "/opt/tunadm_$new-1_$debian_arch.deb" >/dev/null 2>&1
}

test_deb_tunctl() {
	check 'tunadm-tunctl installs' apt install "/opt/tunadm-tunctl_$new-1_all.deb"
	check 'tunctl makes a device' contains "$(inside tunctl -t tap9 -u root)" "Set 'tap9' persistent and owned by uid 0"
	check 'and deletes it' inside tunctl -d tap9
	check 'tunadm-tunctl is removed' apt purge tunadm-tunctl
	check 'with its link' refused inside sh -c 'command -v tunctl'
}

test_deb_remove() {
	local said process
	process=$(property MainPID vpnd)
	said=$(apt remove tunadm 2>&1) || fail "the removal: $said"
	check 'the removal deletes the devices that apply created, except one in use' same 'foreign tun77' "$(devices)"
	check 'the program goes on' same "$process active" "$(property MainPID vpnd) $(property ActiveState vpnd)"
	check 'the units are gone' refused inside sh -c 'ls /usr/lib/systemd/system/tunadm*'
	check 'nothing enables them' same '' "$(find "$m/etc/systemd" "$m"/etc/rc?.d -name '*tunadm*' ! -name 'K*')"
	check 'a hook that remains does nothing' inside env IFACE=x PHASE=pre-up IF_TUNADM_MODE=tap \
		/etc/network/if-pre-up.d/tunadm
	check 'the file of the administrator is kept' inside test -s /etc/tunadm.toml
}

# While a file has a mistake, no stop deletes the devices that apply could not create again. nspawn mounts another boot
# ID, which the sandbox of systemd 252 does not show to units: they and tunadm would ignore each other's records.
test_deb_mistake() {
	mkdir "$m/etc/tunadm"
	sed 's/vm/set/; s/5e:10/5e:11/' "$m/etc/tunadm.d/lab.toml" >"$m/etc/tunadm/lab.toml"
	apt install "/opt/tunadm_$new-1_$debian_arch.deb" >/dev/null 2>&1
	inside umount /proc/sys/kernel/random/boot_id
	check 'it is installed again, and started' inside systemctl start tunadm tunadm@lab
	check 'with all devices' contains " $(devices) " ' set0 '
	echo 'a mistake' | tee -a "$m/etc/tunadm.toml" >>"$m/etc/tunadm/lab.toml"
	check 'a removal while files have mistakes' apt remove tunadm
	check 'deletes the same devices' same 'foreign tun77' "$(devices)"
	check 'and leaves no failed unit' same '' "$(inside systemctl --failed --plain --no-legend)"
	check 'the package is purged' apt purge tunadm
	check 'without its state' refused inside test -e /run/tunadm
	inside systemctl stop vpnd
}

test_deb() {
	local before
	debian_arch=$(dpkg --print-architecture)
	bare deb
	give
	if ! boot; then
		fail 'a machine boots'
		return
	fi
	before=$(tree)
	local part
	for part in deb_install first_session deb_boot deb_upgrade deb_tunctl deb_remove deb_mistake; do
		"test_$part"
	done
	rm -r "$m/etc/tunadm.toml" "$m/etc/tunadm.d" "$m/etc/tunadm"
	check 'nothing is left' diff <(echo "$before") <(tree)
	((failed == 0)) || inside journalctl --boot --no-pager --unit='tunadm*' >&2
	power_off
}
