package netcfg

import (
	"fmt"
	"os"
	"testing"

	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/nstest"
)

// role is the environment variable with which a test starts its own binary as another program.
const role = "TUNADM_TEST_ROLE"

// TestMain also runs the examiner, the guardian and the attackers that the tests start.
func TestMain(m *testing.M) {
	if os.Args[0] == holders.Examiner {
		_ = holders.Examine(os.Args[1:], os.Stdout)
		return
	}
	if os.Args[0] == guard.Name {
		_ = guard.Watch(os.Args[1])
		return
	}
	if attack := attackers[os.Args[0]]; attack != nil {
		attack(os.Args[1])
	}
	roles := map[string]func() error{"": nil, "intruder": intrude, "adder": addUnderAttack,
		"changer": changeForEver}
	if play := roles[os.Getenv(role)]; play != nil {
		if err := play(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(nstest.Main(m))
}

// open enters fresh namespaces and opens the network namespace.
func open(t *testing.T) *Namespace {
	t.Helper()
	nstest.Enter(t)
	ns, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	return ns
}
