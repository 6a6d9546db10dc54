# machine.bash - functions of the benchmarks: their namespaces, and the state of the machine

# shellcheck shell=bash
export LC_ALL=C
here=$(dirname -- "$(realpath -- "${BASH_SOURCE[0]}")")

die() {
	echo "bench/${0##*/}: $*" >&2
	exit 1
}

# enter ARGUMENT... runs the script again with these arguments, in namespaces that end with it, even if it is killed.
# There, scratch is a directory that is removed at the end. If the script has a function outside, it is called before.
enter() {
	local child
	if [[ -z ${BENCH_SCRATCH-} ]]; then
		((EUID == 0)) || die "only root can give a device to another user"
		BENCH_SCRATCH=$(mktemp -d)
		export BENCH_SCRATCH
		trap 'rm -rf "$BENCH_SCRATCH"' EXIT
		! declare -F outside >/dev/null || outside
		# A program that this shell starts in the background would ignore SIGINT, and tunadm does less then.
		env --default-signal setpriv --pdeathsig KILL -- unshare --pid --fork --kill-child --mount-proc \
			--net --mount --propagation private -- "$0" "$@" &
		child=$!
		trap 'kill -KILL $child; wait $child 2>/dev/null; exit 130' INT TERM HUP
		wait "$child"
		exit
	fi
	scratch=$BENCH_SCRATCH
	(($(grep -c : /proc/self/net/dev) == 1)) || die "this namespace contains devices other than lo"
	# Shows this namespace to ip tuntap. If it were writable, networkd would wait for udev.
	mount -t sysfs -o ro sysfs /sys
	mount -t tmpfs tmpfs /run # the record of apply, and the files of networkd
	if [[ ! -r /dev/net/tun || $(stat -c %a /dev/net/tun) != 666 ]]; then # networkd opens the node without root
		mount -t tmpfs tmpfs /dev/net && mknod -m 0666 /dev/net/tun c 10 200
	fi
}

# compile PROGRAM... builds PROGRAM.c of this directory in scratch.
compile() {
	local program line
	for program; do
		line=("${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra -pthread -o "$scratch/$program" "$here/$program.c")
		"${line[@]}" -static 2>/dev/null || "${line[@]}" # some systems have no static C library
	done
}

# ---- a quiet machine ----

# On a busy machine, a benchmark measures other programs. Percentages of all processors:
busy_most=10 # of other programs, in a second in which the benchmark itself does nothing
steal_most=2 # taken by the hypervisor for other machines
busy_seen=0
steal_seen=0

# ticks prints the sums of /proc/stat: all, not idle, stolen.
ticks() { awk '/^cpu / { print $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9, $2 + $3 + $4 + $7 + $8 + $9, $9 }' /proc/stat; }

# share BEFORE AFTER FIELD prints the percentage of that field of ticks.
share() { awk -v b="$1" -v a="$2" -v f="$3" 'BEGIN { split(b, x); split(a, y); d = y[1] - x[1]
	printf "%.0f", (d > 0 ? 100 * (y[f] - x[f]) / d : 0) }'; }

# quiet waits until the machine is quiet, for at most ten seconds. If it is not, quiet ends the script, unless
# BENCH_BUSY=yes.
quiet() {
	local before after busy steal try
	for ((try = 0; try < 10; try++)); do
		before=$(ticks)
		sleep 1
		after=$(ticks)
		busy=$(share "$before" "$after" 2) steal=$(share "$before" "$after" 3)
		if ((busy <= busy_most && steal <= steal_most)) || [[ ${BENCH_BUSY-} == yes ]]; then
			((busy_seen >= busy)) || busy_seen=$busy
			((steal_seen >= steal)) || steal_seen=$steal
			return
		fi
	done
	die "the machine is busy: other programs use $busy % of the processors, the hypervisor $steal % (at most" \
		"$busy_most % and $steal_most %): try again later, or set BENCH_BUSY=yes"
}

# quiet_so_far ends the script if the hypervisor took processors during the measurements, unless BENCH_BUSY=yes.
quiet_so_far() {
	local steal
	steal=$(share "$started" "$(ticks)" 3)
	((steal_seen >= steal)) || steal_seen=$steal
	((steal <= steal_most)) || [[ ${BENCH_BUSY-} == yes ]] ||
		die "the hypervisor took $steal % of the processors during the measurements: try again later," \
			"or set BENCH_BUSY=yes"
}
started=$(ticks)

# item TEXT prints an item of a list in Markdown, in lines that are not too wide.
item() { fold -s -w 117 <<<"$*" | sed 's/ *$//; 1s/^/* /; 2,$s/^/  /'; }

# load prints how busy the machine was, for the report.
load() {
	echo "other programs used at most $busy_seen % of the processors before a measurement, the hypervisor $steal_seen %"
	((busy_seen <= busy_most && steal_seen <= steal_most)) || echo "(**busy: do not trust these figures**)"
}

# ---- what the machine is, and what its programs are ----

machine() {
	local processor
	processor=$(sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1)
	echo "${processor:-unknown processor}, $(nproc) cores, Linux $(uname -r), $(date -u +%Y-%m-%d)"
}

# commit_of TUNADM prints its version, and the commit if this is a clone that knows it.
commit_of() {
	local version commit
	version=$("$1" --version | awk '{ print $NF }')
	commit=$(git -C "$here" rev-parse --verify -q --short=12 "${version%-dirty}^{commit}" 2>/dev/null || true)
	echo "$version${commit:+ (commit $commit)}"
}

# package PROGRAM prints the version of the package that has it, as far as dpkg or rpm know.
package() {
	local owner path
	path=$(realpath "$1")
	owner=$(dpkg-query -S "$path" "${path#/usr}" 2>/dev/null | sed -n '1s/:.*//p') || true # /bin is a link to /usr/bin
	if [[ -n $owner ]]; then
		dpkg-query -W -f '${Package} ${Version}' "$owner"
	else
		rpm -qf "$1" 2>/dev/null || echo "${1##*/} of no package"
	fi
}

# ---- statistics ----

# quantile Q NUMBER... prints a quantile, 0 to 100 per cent, between the two nearest samples.
quantile() {
	local q=$1
	shift
	printf '%s\n' "$@" | sort -n | awk -v q="$q" '{ v[NR] = $1 } END {
		at = 1 + (NR - 1) * q / 100; low = int(at)
		printf "%.6g\n", (low < NR ? v[low] + (at - low) * (v[low + 1] - v[low]) : v[NR]) }'
}
median() { quantile 50 "$@"; }

# figure A B prints A/B with about three digits.
figure() { awk -v a="$1" -v b="$2" 'BEGIN { x = a / b; printf x < 9.995 ? "%.2f" : x < 99.95 ? "%.1f" : "%.0f", x }'; }

# spread DIVISOR NUMBER... prints the middle half of the samples.
spread() {
	local by=$1
	shift
	echo "$(figure "$(quantile 25 "$@")" "$by") to $(figure "$(quantile 75 "$@")" "$by")"
}

# array NUMBER... prints them as JSON.
array() { printf '%s' "[$(printf '%s,' "$@" | sed 's/,$//')]"; }

# quoted TEXT prints it as JSON.
quoted() {
	local text=${1//\\/\\\\}
	printf '"%s"' "${text//\"/\\\"}"
}
