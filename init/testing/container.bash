# shellcheck shell=bash disable=SC2016,SC2030,SC2031,SC2034,SC2154 # a part of init/test; it shares its variables
# The namespaces and control groups in which machines run, and which end with the script.

# cgroups prints this process' group directory in each hierarchy in which nspawn creates its groups.
cgroups() {
	local controllers path mounted
	while IFS=: read -r _ controllers path; do
		case $controllers in
		'') mounted=$(findmnt --noheadings --first-only --types cgroup2 --output TARGET) ;;
		name=systemd)
			mounted=$(findmnt --noheadings --first-only --types cgroup --options name=systemd --output TARGET) ;;
		*) continue ;;
		esac
		[[ -z $mounted ]] || echo "${mounted}${path%/}"
	done </proc/self/cgroup
}

# clean_up ends the remaining processes, and removes files and groups that outlive the namespaces.
clean_up() {
	local group lane
	for lane in "${lanes[@]}"; do
		kill "${lane%%:*}" 2>/dev/null || true # its own clean_up follows
	done
	kill -KILL "${inner-}" 2>/dev/null || true # --kill-child also kills its child processes
	wait
	for group in ${groups-}; do
		wait_for 10 empty "$group" || true
		find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
	done
	for lane in "${lanes[@]}"; do
		rm -f "${lane#*:}"
	done
	[[ -z ${work-} ]] || rm -rf "$work"
	inner='' groups='' work='' lanes=()
}
lanes=() # of beside: PID:FILE
empty() { [[ -z $(find "$1" -name cgroup.procs -exec cat {} +) ]]; }

# container_possible gives up if no container can boot here.
container_possible() {
	local tool
	((EUID == 0)) || give_up 'the init: only root can boot a container'
	for tool in debootstrap systemd-nspawn nsenter unshare findmnt setpriv cc jq; do
		command -v "$tool" >/dev/null || give_up "the init: there is no $tool"
	done
	[[ -c /dev/net/tun ]] || give_up 'the init: there is no /dev/net/tun'
	unshare --mount --net --pid --fork true 2>/dev/null || give_up 'the init: there are no namespaces'
}

# contain SCRIPT ARGUMENT... finds the root of $suite with the $added packages, and runs SCRIPT --inner ARGUMENT... ROOT
# WORK CGROUPS in separate namespaces, with an empty directory WORK. It sets result to 1 if the script fails.
contain() {
	local script=$1 group
	shift
	find_root "${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/tunadm"
	work=$(mktemp -d) groups=
	for group in $(cgroups); do
		mkdir "$group/tunadm-test.$BASHPID" 2>/dev/null || give_up 'the init: there are no control groups'
		groups+=" $group/tunadm-test.$BASHPID"
	done
	[[ -n $groups ]] || give_up 'the init: there are no control groups'
	setpriv --pdeathsig KILL unshare --mount --propagation private --net --pid --fork --kill-child --mount-proc -- \
		"$script" --inner "$@" "$root" "$work" "$groups" &
	inner=$!
	wait "$inner" || result=1
	clean_up
}

# beside COMMAND... runs a command that sets result, such as contain, in a subshell. This shell itself may start no
# container until join.
beside() {
	local output
	output=$(mktemp)
	(
		lanes=() result=0
		trap clean_up EXIT
		trap 'exit 1' INT TERM HUP
		"$@"
		exit "$result"
	) >"$output" 2>&1 &
	lanes+=("$!:$output")
}

# join waits for the commands of beside, prints the output of each in turn, and sets result to 1 if one of them failed.
join() {
	local lane
	for lane in "${lanes[@]}"; do
		wait "${lane%%:*}" || result=1
		cat "${lane#*:}"
		rm "${lane#*:}"
	done
	lanes=()
}
