# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of test, with which it shares its variables
# Hosts, and the plays that change them.

# controller prepares what Ansible requires here: the collection, and a key.
controller() {
	export HOME=$work/home ANSIBLE_CONFIG=$plays/ansible.cfg ANSIBLE_COLLECTIONS_PATH=$work/collections
	export ANSIBLE_PRIVATE_KEY_FILE=$work/key
	mkdir "$HOME"
	ssh-keygen -q -t ed25519 -N '' -f "$work/key"
	ansible-galaxy collection install --offline -p "$work/collections" "$releases"/tunadm-tunadm-*.tar.gz >/dev/null
}

# host NAME creates a machine with the user kim, who may log in and become root.
host() {
	bare "$1"
	chroot "$m" useradd --create-home --shell /bin/sh kim
	install -d -m 0700 -o "$(stat -c %u "$m/home/kim")" -g "$(stat -c %g "$m/home/kim")" "$m/home/kim/.ssh"
	install -m 0644 "$work/key.pub" "$m/home/kim/.ssh/authorized_keys"
	echo 'kim ALL=(ALL) NOPASSWD: ALL' >"$m/etc/sudoers.d/kim"
}

# connect boots the host, and gives it an address.
connect() {
	boot || return
	ip addr add 192.0.2.1/24 dev "far$boots"
	inside ip addr add 192.0.2.2/24 dev eth1
	inside ip link set eth1 up
	# Not the connection of an earlier boot.
	export ANSIBLE_SSH_CONTROL_PATH_DIR=$work/connection$boots
	wait_for 30 ansible all -i 192.0.2.2, -m ansible.builtin.ping
}

# play NAME [FLAG...] runs a play with the variables on standard input. It sets result to the exit status, output to the
# text that Ansible prints, and changed to the number of changed tasks.
play() {
	local name=$1
	shift
	(echo 'next_task_fails: false' && cat) >"$work/variables.yml"
	result=0
	output=$(timeout 300 ansible-playbook -i 192.0.2.2, -e "@$work/variables.yml" "$@" "$plays/$name.yml" 2>&1) ||
		result=$?
	changed=$(sed -n 's/^192\.0\.2\.2 .* changed=\([0-9]*\) .*/\1/p' <<<"$output")
}

# Commands for check: ended RESULT, played RESULT CHANGED, of the last play.
ended() { same "$1" "$result" || { echo "$output" && return 1; }; }
played() { same "$1, $2 changed" "$result, $changed changed" || { echo "$output" && return 1; }; }

# signs prints what a play that changes nothing may not change.
signs() {
	devices
	attribute tun77 ifindex
	property ActiveEnterTimestampMonotonic tunadm
	inside find /etc/tunadm.d /etc/systemd/system /usr/bin /usr/local/bin \( -name '*tunadm*' -o -name '*.toml' \) \
		-exec stat -c '%n %i %Z' {} + | sort
}
tap_is_in() { [[ $(master tap0) == "$1" ]]; }
late_is_active() { [[ $(property ActiveState tunadm-late) == active ]]; }
