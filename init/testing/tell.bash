# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of init/test, with which it shares its variables
# How a test runs, and how its result is printed.

ok() {
	echo "ok - $*"
	passed=$((passed + 1))
}

fail() {
	echo "FAIL - $*"
	failed=$((failed + 1))
}

# skip WHY skips one test.
skip() {
	echo "SKIPPED: $*"
	skipped=$((skipped + 1))
}

summary() {
	echo "$passed passed, $failed failed, $skipped skipped"
	((failed == 0)) && ((skipped == 0 || ${TUNADM_TEST_ALL:-0} != 1))
}

# give_up WHY skips all tests.
give_up() {
	skip "$*"
	summary
	exit
}

# check WHAT COMMAND... runs the test WHAT, which passes if the command succeeds.
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

# Commands for check: same WANT GOT, contains TEXT PART, lacks TEXT PART, at_most NUMBER LIMIT, refused COMMAND...
same() { [[ $1 == "$2" ]] || { printf 'want %s\ngot  %s\n' "$1" "$2" && return 1; }; }
contains() { [[ $1 == *"$2"* ]] || { printf 'no "%s" in:\n%s\n' "$2" "$1" && return 1; }; }
lacks() { [[ $1 != *"$2"* ]] || { printf '"%s" in:\n%s\n' "$2" "$1" && return 1; }; }
at_most() { (($1 <= $2)) || { echo "$1 is more than $2" && return 1; }; }
refused() { ! "$@"; }

# wait_for SECONDS COMMAND... repeats the command until it succeeds or the time is over.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return 1
		sleep 0.02
	done
}

milliseconds() { echo $(($(date +%s%N) / 1000000)); }
