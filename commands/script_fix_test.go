package commands

import (
	"encoding/json"
	"errors"
	"os/exec"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// applyFix is the command "fix CHECK DOCTOR-ARGS...": the first finding of doctor is of that check, and the first fix
// removes the finding.
func applyFix(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fix CHECK DOCTOR-ARGS...")
	}
	found := diagnose(ts, args[1:])
	if len(found) == 0 || found[0].Check != args[0] {
		ts.Fatalf("the first finding is not %s: %v", args[0], found)
	}
	ts.Logf("fix: %s", found[0].Fix[0])
	ts.Check(ts.Exec("sh", "-e", "-c", found[0].Fix[0]))
	for _, f := range diagnose(ts, args[1:]) {
		if f.Check == args[0] {
			ts.Fatalf("after %q there is still %v", found[0].Fix[0], f)
		}
	}
}

// diagnose is what the doctor finds.
func diagnose(ts *testscript.TestScript, args []string) (found []jsonFinding) {
	err := ts.Exec("tunadm", append([]string{"doctor", "--json"}, args...)...)
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("doctor: %v", err)
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &found))
	for _, f := range found {
		checkFixes(ts, f.Fix)
	}
	return found
}

// The programs of fixes that change the running kernel, and the changes of more than one device.
var (
	changing = regexp.MustCompile(`^(ask root for: )?(ip netns exec \S+ |nsenter \S+ )?` +
		`(sysctl -w|ip (-[46] )?(addr|link|neigh|route|rule)|bridge|tc (qdisc|filter) (add|del)|nft|ip6?tables) `)
	wide = regexp.MustCompile(`sysctl -w (\S+\.(all|default)\.|net\.ipv4\.[^.]+=)`)
)

// checkFixes checks that each change of the running kernel says how long it lasts, and whether it opens more than one
// device, and that the first fix does so only if no other does not.
func checkFixes(ts *testscript.TestScript, fixes []string) {
	for _, f := range fixes {
		switch {
		case !changing.MatchString(f):
		case !strings.Contains(f, "  # "), wide.MatchString(f) != strings.Contains(f, "all devices"):
			ts.Fatalf("the fix does not say how long it lasts or what it opens: %s", f)
		case wide.MatchString(fixes[0]) && !wide.MatchString(f):
			ts.Fatalf("the fix for all devices comes before a narrower one: %q", fixes)
		}
	}
}
