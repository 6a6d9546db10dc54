# verbs.bash - what the benchmarks measure: the commands of each peer, the state before each sample, and the loop

# shellcheck shell=bash
# shellcheck source=bench/machine.bash
source "$(dirname -- "$(realpath -- "${BASH_SOURCE[0]}")")/machine.bash"

rounds=${ROUNDS:-5}
slow_rounds=${SLOW_ROUNDS:-3}
((rounds > 0 && slow_rounds > 0)) || die "no rounds"
((slow_rounds <= rounds)) || slow_rounds=$rounds

# installed NAME PROGRAM prints the path of a copy, as install(1) makes it. A file that the linker has written takes a
# fifth longer to start: the kernel maps it in smaller pieces.
installed() {
	install -m 0755 "$2" "$scratch/$1"
	echo "$scratch/$1"
}

# prepare builds the measuring tools and finds the peers, inside the namespaces.
prepare() {
	tunadm=$(installed tunadm "$tunadm")
	compile limit stopwatch
	limit=$scratch/limit stopwatch=$scratch/stopwatch
	: >"$scratch/errors"
	mkdir -p /run/systemd/network
	ip=$(command -v ip || true)
	tunctl=$(command -v tunctl || true)
	openvpn=$(command -v openvpn || true)
	networkd=$(command -v /usr/lib/systemd/systemd-networkd /lib/systemd/systemd-networkd | head -n 1 || true)
	login=$(id -un "$user" 2>/dev/null || echo nobody) # for openvpn, which does not accept a UID
	export NETWORKD=$networkd LIMIT=$limit TUNADM=$tunadm
	[[ -z $ip ]] || "$ip" link set lo up
	write_scripts
}

user=1000
address=10.0.0.1/32
held=20000

# shellcheck disable=SC2016 # Markdown
declare -A title=(
	[limit]='limit'
	[old]='old'
	[new]='new'
	[tunadm]='**tunadm**'
	[json]='**tunadm**, as JSON'
	[ip]='`ip`, one process per operation'
	[batch]='`ip -batch`'
	[tunctl]='`tunctl`, one process per operation'
	[openvpn]='`openvpn --mktun`, then `ip`'
	[networkd]='systemd-networkd, from its start until all devices exist'
	[version]='`ip -V`'
	[show]='`ip -j -d addr show type tun`'
	[tuntap]='`ip tuntap show`, without addresses'
	[who]='`ip -d tuntap show`, without addresses'
	[hello]='a static Go program that prints a word'
)
# Samples by verb, number of devices and peer, separated by blanks: microseconds, KiB, and microseconds of CPU time.
declare -A time_of=() kib_of=() cpu_of=()
declare -A left_out=()   # reasons by peer or sample
declare -A program_of=() # the program of a peer that is another build of tunadm

# ---- the measured commands of each peer, one per line ----

# numbered N prints t0 to t<N-1>, one per line.
numbered() { seq -f 't%.0f' 0 $(($1 - 1)); }

# configure N NAME prints the ip commands that configure a device of another tool.
configure() {
	echo "$ip link set dev $2 mtu 1400 up"
	(($1 > 1)) || echo "$ip addr add $address dev $2"
}

# create N PEER: tuns with an owner and an MTU, up; a single one also gets an address.
create() {
	local name
	case $2 in
	limit) echo "$limit create t $1 $user 1400 $( (($1 > 1)) || echo address)" ;;
	tunadm)
		echo "$tunadm add $(numbered "$1" | xargs) --mode tun --user $user --mtu 1400 --up" \
			"$( (($1 > 1)) || echo "--address $address")"
		;;
	batch) batch create "$1" ;;
	*) numbered "$1" | while read -r name; do
		case $2 in
		ip) echo "$ip tuntap add dev $name mode tun user $user" ;;
		tunctl) echo "$tunctl -u $user -t $name" ;; # always a tap
		openvpn) echo "$openvpn --mktun --dev $name --dev-type tun --user $login" ;;
		esac
		configure "$1" "$name"
	done ;;
	esac
}

# delete N PEER: devices that are not in use.
delete() {
	case $2 in
	limit) echo "$limit delete t $1" ;;
	tunadm) echo "$tunadm delete $(numbered "$1" | xargs)" ;;
	batch) batch delete "$1" ;;
	ip) numbered "$1" | sed "s|^|$ip link delete dev |" ;;
	tunctl) numbered "$1" | sed "s|^|$tunctl -d |" ;;
	esac
}

# declared N prints the path of a file that declares N devices with owner, group, MTU and an address, up.
declared() {
	local file=$scratch/$1.toml
	local text='[device."t[0-%d]"]\nmode = "tun"\nuser = %d\ngroup = %d\nmtu = 1400\naddresses = ["%s"]\n'
	# shellcheck disable=SC2059 # the text is a format
	[[ -s $file ]] || printf "$text" $(($1 - 1)) "$user" "$user" "$address" >"$file"
	echo "$file"
}

# apply N PEER: create the devices that a file declares.
apply() {
	local name
	case $2 in
	limit) echo "$limit create t $1 $user 1400 address" ;;
	tunadm) echo "$tunadm apply $(declared "$1")" ;;
	batch) batch apply "$1" ;;
	networkd) echo "$(command -v bash) $scratch/networkd $1" ;;
	*) numbered "$1" | while read -r name; do
		case $2 in
		ip) echo "$ip tuntap add dev $name mode tun user $user group $user" ;;
		tunctl) echo "$tunctl -u $user -g $user -t $name" ;;
		esac
		configure 1 "$name"
	done ;;
	esac
}

# again N PEER: apply the same file again.
again() {
	case $2 in
	limit) echo "$limit list" ;;
	tunadm) apply "$@" ;;
	esac
}

# teardown N PEER: delete the devices that apply created.
teardown() {
	case $2 in
	limit) echo "$limit delete t $1" ;;
	tunadm) echo "$tunadm teardown $(declared "$1")" ;;
	esac
}

# plan N PEER: parse a file without ranges and plan; none of its devices exists.
plan() {
	numbered "$1" | sed "s|.*|[device.&]\nmode = \"tun\"\nuser = $user\nmtu = 1400\naddresses = [\"$address\"]|" \
		>"$scratch/plan.toml"
	echo "$tunadm apply --dry-run $scratch/plan.toml"
}

# write_scripts writes the commands of peers that take more than one line.
write_scripts() {
	cat >"$scratch/networkd" <<'END'
"$NETWORKD" 2>/dev/null &
until (($("$LIMIT" list | grep -c ' 1$') == $1)); do sleep 0.02; done
kill $!
wait $! || true
END
	# A watch reports N new devices. It runs before, and its end is not measured.
	cat >"$scratch/watch" <<'END'
"$LIMIT" create w "$1" 1000 1400
[[ -z ${2-} ]] || [[ $(grep -m "$1" -c '"event":"created"' <"$2") == "$1" ]] # with output to /dev/null, grep never ends
END
}

# batch VERB N prints the equivalent commands of ip, for one process.
batch() {
	"$1" "$2" ip | sed "s|^$ip ||" >"$scratch/$1.$2"
	echo "$ip -batch $scratch/$1.$2"
}

# list N PEER; the following functions list in other conditions.
list() {
	case $2 in
	limit) echo "$limit list" ;;
	tunadm) echo "$tunadm list" ;;
	json) echo "$tunadm list --json" ;;
	show) echo "$ip -j -d addr show type tun" ;;
	tuntap) echo "$ip tuntap show" ;;
	who) echo "$ip -d tuntap show" ;;
	esac
}
names() {
	case $2 in
	limit) echo "$limit list" ;;
	*) echo "$tunadm list --names" ;;
	esac
}
held() { list "$@"; }
used() { list "$@"; }
seen() { list "$@"; }

# ---- one device beside N others, and the other verbs of curve and compare ----

add_beside() {
	case $2 in
	limit) echo "$limit create x 1 $user 1400 address" ;;
	tunadm) echo "$tunadm add x0 --mode tun --user $user --mtu 1400 --up --address 10.255.0.1/32" ;;
	esac
}
delete_beside() {
	case $2 in
	limit) echo "$limit delete x 1" ;;
	tunadm) echo "$tunadm delete x0" ;;
	esac
}
show() { echo "$tunadm show t0"; }
list_json() { echo "$tunadm list --json"; }
doctor() { echo "$tunadm doctor"; }
doctor_one() { echo "$tunadm doctor t0"; }
metrics() { echo "$tunadm metrics"; }
watch() {
	case $2 in
	limit) echo "$(command -v bash) $scratch/watch $1" ;;
	tunadm) echo "$(command -v bash) $scratch/watch $1 $scratch/events" ;;
	esac
}

# start 0 PEER: the shortest run of each program.
start() {
	case $2 in
	limit) echo "$limit nothing" ;;
	tunadm) echo "$tunadm --version" ;;
	version) echo "$ip -V" ;;
	hello) echo "$scratch/hello" ;;
	esac
}

# ---- the state before each sample, and its check afterwards ----

before_create() { :; }
after_create() { # ip, if installed, checks the properties that limit does not read
	local made as_asked
	made=$("$limit" list | grep -cx "t[0-9]* $(($1 == 1))")
	as_asked=$made
	[[ -z $ip ]] || as_asked=$("$ip" -d -o link show type tun |
		grep -cE "[<,]UP[,>].* mtu 1400 .* persist on user ($login|$user) ")
	clear_devices
	((made == $1 && as_asked == $1))
}

before_delete() {
	case $2 in
	tunctl) create "$1" tunctl | grep -F "$tunctl" | "$stopwatch" time >/dev/null ;;
	*) "$limit" create t "$1" "$user" 1400 ;;
	esac
	(($(count) == $1))
}
after_delete() { (($(count) == 0)); }

before_list() { [[ -n $("$limit" list) ]] || "$limit" create t "$1" "$user" 1400 address; }
after_list() { # the first time, the output must contain every name
	local command
	[[ -z ${time_of[$key]-} ]] || return 0
	read -ra command < <("$3" "$1" "$2")
	(($("${command[@]}" 2>/dev/null | grep -o '\bt[0-9]\+\b' | sort -u | wc -l) == $1))
}
before_names() { before_list "$@"; }
after_names() { after_list "$@"; }
before_list_json() { before_list "$@"; }
after_list_json() { after_list "$@"; }
before_show() { before_list "$@"; }
after_show() { :; }
before_doctor() { before_list "$@"; }
after_doctor() { :; }
before_doctor_one() { before_list "$@"; }
after_doctor_one() { :; }
before_metrics() { before_list "$@"; }
after_metrics() { :; }
before_add_beside() { before_list "$@"; }
after_add_beside() {
	"$limit" list | grep -qx 'x0 1' && "$limit" delete x 1
}
before_delete_beside() {
	before_list "$@"
	"$limit" create x 1 "$user" 1400
}
after_delete_beside() { ! "$limit" list | grep -q '^x0 '; }

# The program is there before the devices, and its output is a pipe that the measured script reads.
before_watch() {
	watcher=
	[[ $2 == limit ]] || {
		rm -f "$scratch/events" && mkfifo "$scratch/events"
		"$tunadm" watch --json >"$scratch/events" 2>>"$scratch/errors" &
		watcher=$!
		exec {events}<"$scratch/events"
		read -ru "$events" && [[ $REPLY == *'"watching"'* ]]
	}
}
after_watch() {
	[[ -z $watcher ]] || {
		awk '{ print ($14 + $15) * 10000 }' "/proc/$watcher/stat" >>"$scratch/watch-cpu-$1"
		kill "$watcher"
		wait "$watcher" || true
		exec {events}<&-
	}
	"$limit" delete w "$1"
}

before_held() { before_list "$1" && hold "$held"; }
after_held() { after_list "$@"; }
before_used() { before_list "$1" && hold "$held" t0; }
after_used() { after_list "$@"; }
before_seen() { before_list "$1" && hold 0 t0; }
after_seen() { after_list "$@"; }

before_apply() {
	clear_devices
	rm -f /run/tunadm/*.json /run/systemd/network/*
	[[ $2 != networkd ]] || numbered "$1" | while read -r name; do
		local file=/run/systemd/network/$name
		printf '[NetDev]\nName=%s\nKind=tun\n[Tun]\nUser=%d\nGroup=%d\n' "$name" "$user" "$user" >"$file.netdev"
		printf '[Match]\nName=%s\n[Link]\nMTUBytes=1400\n[Network]\nConfigureWithoutCarrier=yes\n' "$name" \
			>"$file.network"
		printf '[Address]\nAddress=%s\n' "$address" >>"$file.network"
	done
}
after_apply() {
	local as_asked
	as_asked=$("$ip" -d -o link show type tun |
		grep -cE "[<,]UP[,>].* mtu 1400 .* persist on user ($login|$user) $([[ $2 == limit ]] || echo group)")
	(($("$limit" list | grep -cx 't[0-9]* 1') == $1 && as_asked == $1))
}
before_again() { (($(count) == $1)) || "$tunadm" apply "$(declared "$1")"; }
after_again() { :; }
before_teardown() {
	clear_devices
	"$tunadm" apply "$(declared "$1")"
}
after_teardown() { (($(count) == 0)); }
before_plan() { clear_devices; }
after_plan() { :; }

before_start() { :; }
after_start() { :; }

# hold N [DEVICE] starts two processes with N descriptors, of which the second is attached to the device.
holders=()
hold() {
	((${#holders[@]} == 0)) || return 0
	hold_half "$1"
	hold_half "$@"
}
hold_half() {
	local n=$(($1 / 2))
	shift
	: >"$scratch/held"
	"$stopwatch" hold "$n" "$@" >"$scratch/held" &
	holders+=($!)
	until [[ -s $scratch/held ]]; do
		kill -0 $! 2>/dev/null || die "no process could hold $n descriptors"
		sleep 0.02
	done
}
release() {
	((${#holders[@]} > 0)) || return 0
	kill "${holders[@]}"
	wait "${holders[@]}" 2>/dev/null || true
	holders=()
}

count() { "$limit" list | wc -l; }

clear_devices() {
	local left
	left=$(count)
	((left == 0)) || "$limit" delete t "$left"
}

# ---- the measurement ----

# present PEER succeeds if the tool is installed, and records it in left_out if not.
present() {
	local peer=$1 tool=
	case $peer in
	ip | batch | version | show | tuntap | who) tool=ip ;;
	tunctl | openvpn) tool="ip $peer" ;;
	networkd) tool=networkd ;;
	hello) [[ -x $scratch/hello ]] || left_out[hello]="${title[hello]}: go is not installed" ;;
	esac
	for tool in $tool; do
		[[ -n ${!tool} ]] || left_out[$peer]="${title[$peer]}: $tool is not installed"
	done
	[[ -z ${left_out[$peer]-} ]]
}

# often VERB N PEER prints the number of samples.
often() {
	case $1-$2-$3 in
	create-1????-* | apply-1????-* | teardown-1????-* | watch-1????-*) echo "$slow_rounds" ;;
	*-1000-ip | *-1000-tunctl | *-1000-openvpn | delete-1000-batch | *-networkd) echo "$slow_rounds" ;;
	*-100-ip | *-100-tunctl | *-100-openvpn | delete-100-batch | seen-*-who | *-1????-* | watch-*) echo "$rounds" ;;
	start-*) echo $((rounds * 10)) ;;
	*) echo $((rounds * 4)) ;;
	esac
}

# measure VERB N PEER takes one sample.
measure() {
	local key=$1-$2-$3 who=$3 tunadm=$tunadm wall kib user_time system_time
	if [[ -n ${program_of[$3]-} ]]; then
		who=tunadm tunadm=${program_of[$3]}
	fi
	if "before_$1" "$2" "$who" "$1" &&
		read -r wall kib user_time system_time < <("$stopwatch" time <"$scratch/$key" 2>"$scratch/errors") &&
		"after_$1" "$2" "$who" "$1"; then
		time_of[$key]+="$wall "
		kib_of[$key]+="$kib "
		cpu_of[$key]+="$((user_time + system_time)) "
		return
	fi
	tail -n 5 "$scratch/errors" >&2
	[[ $who != tunadm && $who != json ]] || die "tunadm failed: $1 $2"
	left_out[$key]="${title[$3]}: $1 $2 failed"
	unset "time_of[$key]"
	clear_devices
}

# commands VERB N PEER prints what is measured.
commands() {
	if [[ -n ${program_of[$3]-} ]]; then
		tunadm=${program_of[$3]} "$1" "$2" tunadm
	else
		"$1" "$2" "$3"
	fi
}

# compare VERB N PEER... measures the peers in turn, and each round starts with another peer.
compare() {
	local verb=$1 n=$2 peers=() peer round i most=0
	shift 2
	quiet
	for peer; do
		if present "$peer"; then
			peers+=("$peer")
			commands "$verb" "$n" "$peer" >"$scratch/$verb-$n-$peer"
			i=$(often "$verb" "$n" "$peer")
			((most >= i)) || most=$i
		fi
	done
	for ((round = 0; round < most; round++)); do
		echo "bench/${0##*/}: $verb $n: round $((round + 1)) of $most" >&2
		for i in "${!peers[@]}"; do
			peer=${peers[(i + round) % ${#peers[@]}]}
			if [[ -z ${left_out[$verb-$n-$peer]-} ]] && ((round < $(often "$verb" "$n" "$peer"))); then
				measure "$verb" "$n" "$peer"
			fi
		done
	done
	release
}

# ---- the report ----

# samples_json PROGRAM... prints all samples as JSON.
samples_json() {
	local key peer n verb comma='' program
	printf '{"machine":%s,"load":%s,"programs":[' "$(quoted "$(machine)")" "$(quoted "$(load | xargs)")"
	for program; do
		printf '%s%s' "$comma" "$(quoted "$program")"
		comma=,
	done
	printf '],\n"measurements":['
	comma=
	for key in $(printf '%s\n' "${!time_of[@]}" | sort -V); do
		peer=${key##*-} n=${key%-*} verb=${key%%-*}
		# shellcheck disable=SC2086 # the samples are words
		printf '%s\n{"verb":"%s","devices":%s,"peer":"%s","wall_us":%s,"cpu_us":%s,"peak_kib":%s}' "$comma" \
			"$verb" "${n##*-}" "$peer" "$(array ${time_of[$key]})" "$(array ${cpu_of[$key]})" "$(array ${kib_of[$key]})"
		comma=,
	done
	printf ']}\n'
}
