package attach

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// TestMain also runs the examiner and the guardian that the tests start.
func TestMain(m *testing.M) {
	switch os.Args[0] {
	case holders.Examiner:
		_ = holders.Examine(os.Args[1:], os.Stdout)
		return
	case guard.Name:
		_ = guard.Watch(os.Args[1])
		return
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

// add creates a device of root.
func add(t *testing.T, ns *netcfg.Namespace, s netcfg.Spec) {
	t.Helper()
	s.Access = users.Root()
	results, err := ns.Run(context.Background(), []netcfg.Change{{Name: s.Name, Want: &s}}, netcfg.Options{})
	if err == nil {
		err = results[0].Err
	}
	if err != nil {
		t.Fatal(err)
	}
}

// addresses returns the addresses of a Spec.
func addresses(t *testing.T, text string) *[]netcfg.Address {
	t.Helper()
	a, err := netcfg.ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return &[]netcfg.Address{a}
}

// ip runs ip(8), the independent witness, with the words of a line.
func ip(t *testing.T, line string) string {
	t.Helper()
	return nstest.Run(t, "ip", strings.Fields(line)...)
}
