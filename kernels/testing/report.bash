# shellcheck shell=bash disable=SC2154 # a part of kernels/test, with which it shares its variables
# What a kernel's run came to.

# wanted RELEASE: it is one of TUNADM_TEST_KERNELS, or all are.
wanted() {
	local prefix
	[[ -n ${TUNADM_TEST_KERNELS-} ]] || return 0
	for prefix in ${TUNADM_TEST_KERNELS//,/ }; do [[ $1 != "$prefix"* ]] || return 0; done
	return 1
}

# report TITLE SECONDS reads a run's output and prints a line for a kernel, the tests that failed, and why tests were
# skipped. A test that contains others is not counted itself.
report() {
	tr -d '\r' | awk -v title="$1" -v seconds="$2" '
		$1 == "package" { package = $2 }
		$1 == "status" && $2 != 0 { bad++ }
		/^the end$/ { ended = 1 }
		/^ *--- (PASS|FAIL|SKIP): / {
			line = $0
			sub(/^ *--- /, "", line)
			result[package "\t" substr(line, 7, length(line) - 6 - length($NF) - 1)] = substr(line, 1, 4)
		}
		/^ *[0-9]+ skipped: / { skipped = skipped "\n    " $0 }
		END {
			for (name in result) {
				parent = name
				while (sub(/\/[^\/]*$/, "", parent) && index(parent, "\t")) within[parent] = 1
			}
			for (name in result) {
				if (name in within) continue
				count[result[name]]++
				if (result[name] == "FAIL") failed = failed "\n    FAIL " name
			}
			printf "%-24s %4d passed %4d failed %4d skipped %5d s%s%s\n", title,
				count["PASS"], count["FAIL"], count["SKIP"], seconds, failed, skipped
			if (!ended) print "    it did not come to its end"
			exit !ended || bad || count["FAIL"] > 0
		}'
}
