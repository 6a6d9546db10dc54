package watch

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/netcfg"
)

// role is the environment variable with which a test starts its own binary as another program.
const role = "TUNADM_TEST_ROLE"

// TestMain also runs the examiner, the guardian and the other run of tunadm that the tests start.
func TestMain(m *testing.M) {
	switch os.Args[0] {
	case holders.Examiner:
		_ = holders.Examine(os.Args[1:], os.Stdout)
		return
	case guard.Name:
		_ = guard.Watch(os.Args[1])
		return
	}
	if os.Getenv(role) == "claimer" {
		if err := claimLoop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(nstest.Main(m))
}

// open enters fresh namespaces and opens the network namespace.
func open(t *testing.T) *netcfg.Namespace {
	t.Helper()
	nstest.Enter(t)
	ns, err := netcfg.Open("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Close)
	return ns
}

// ip runs ip(8) with the words of a line.
func ip(t *testing.T, line string) {
	t.Helper()
	nstest.Run(t, "ip", strings.Fields(line)...)
}

func address(s string) netcfg.Address {
	a, err := netcfg.ParseAddress(s)
	if err != nil {
		panic(err)
	}
	return a
}
