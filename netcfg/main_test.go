package netcfg

import (
	"os"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

// open enters fresh namespaces and opens their kernel.
func open(t *testing.T) *Kernel {
	t.Helper()
	nstest.Enter(t)
	k, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}
