# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of init/test, with which it shares its variables
# What a test is, and how it is told.

ok() {
	echo "ok - $*"
	passed=$((passed + 1))
}

fail() {
	echo "FAIL - $*"
	failed=$((failed + 1))
}

# skip WHY: without one test
skip() {
	echo "SKIPPED: $*"
	skipped=$((skipped + 1))
}

summary() {
	echo "$passed passed, $failed failed, $skipped skipped"
	((failed == 0)) && ((skipped == 0 || ${TUNADM_TEST_ALL:-0} != 1))
}

# give_up WHY: without any test
give_up() {
	skip "$*"
	summary
	exit
}

# check WHAT COMMAND...: the test WHAT is that the command succeeds.
check() {
	local what=$1 said
	shift
	if said=$("$@" 2>&1); then
		ok "$what"
		return
	fi
	fail "$what"
	echo "    ${said//$'\n'/$'\n'    }" >&2
}

# same WANT GOT, contains TEXT PART, lacks TEXT PART, at_most NUMBER LIMIT, refused COMMAND...: what check can check
same() { [[ $1 == "$2" ]] || { printf 'want %s\ngot  %s\n' "$1" "$2" && return 1; }; }
contains() { [[ $1 == *"$2"* ]] || { printf 'no "%s" in:\n%s\n' "$2" "$1" && return 1; }; }
lacks() { [[ $1 != *"$2"* ]] || { printf '"%s" in:\n%s\n' "$2" "$1" && return 1; }; }
at_most() { (($1 <= $2)) || { echo "$1 is more than $2" && return 1; }; }
refused() { ! "$@"; }

# wait_for SECONDS COMMAND... looks again and again, until the command succeeds or the time is over.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return 1
		sleep 0.02
	done
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
