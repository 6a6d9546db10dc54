package state

import (
	"errors"
	"os"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/netcfg"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

// TestLoop checks that a record is open to one process at a time, that it belongs to one namespace, and that a damaged
// one is an error.
func TestLoop(t *testing.T) {
	nstest.Enter(t)
	var made, left []string
	l, err := OpenLoop("one")
	if err != nil {
		t.Fatal(err)
	}
	if found, err := l.Recall(&left); found || err != nil {
		t.Error(found, err)
	}
	made = []string{"tun0", "tun1"}
	if err := l.Remember(made); err != nil {
		t.Fatal(err)
	}
	_, err = OpenLoop("one")
	if e := new(netcfg.Error); !errors.As(err, &e) || e.Cause != netcfg.InUse {
		t.Errorf("a second one: %v", err)
	}
	if other, err := OpenLoop("other"); err != nil {
		t.Error(err)
	} else if found, err := other.Recall(&left); found || err != nil {
		t.Error(found, err)
	}
	l.Close() // as by a kill
	if l, err = OpenLoop("one"); err != nil {
		t.Fatal(err)
	}
	if found, err := l.Recall(&left); !found || err != nil || len(left) != 2 {
		t.Error(found, left, err)
	}
	if err := os.WriteFile(l.path+".json", []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Recall(&left); err == nil {
		t.Error("a damaged record counts as none")
	}
	if err := l.Forget(); err != nil {
		t.Error(err)
	}
	if found, err := l.Recall(&left); found || err != nil {
		t.Error(found, err)
	}
}
