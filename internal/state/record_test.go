package state

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/netcfg"
)

// TestNamesAreBytes remembers devices and operands that are no UTF-8, each as itself.
func TestNamesAreBytes(t *testing.T) {
	nstest.Enter(t)
	lock, err := Lock(context.Background(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	operands := []string{"/tmp/\xff\\x.toml"}
	m, _, err := Recall(operands, "here")
	if err != nil {
		t.Fatal(err)
	}
	steps := []netcfg.Step{{Device: "t\xff", Index: 5}, {Device: "t\xfe", Index: 6}, {Device: `t\xfe`, Index: 7}}
	if err := m.Remember(steps); err != nil {
		t.Fatal(err)
	}
	again, warning, err := Recall(operands, "here")
	if err != nil || warning != "" {
		t.Fatal(warning, err)
	}
	for _, s := range steps {
		if got := again.Devices()[s.Index]; got != s.Device {
			t.Errorf("%q is remembered as %q", s.Device, got)
		}
	}
}

// TestImpossibleRecords: a device that cannot be is left out, and the others are remembered.
func TestImpossibleRecords(t *testing.T) {
	nstest.Enter(t)
	lock, err := Lock(context.Background(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	m, _, err := Recall([]string{"/a"}, "here")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Remember([]netcfg.Step{{Device: "tun1", Index: 5}, {Device: "tun2", Index: 6}, {Device: "tun3", Index: 7}}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(m.path)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.NewReplacer(`"index":5`, `"index":-1`, `"tun2"`, `"a/b"`).Replace(string(text)))
	for _, path := range []string{m.path, m.path + ".new"} { // and what a killed run left
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lock.Close()
	if lock, err = Lock(context.Background(), func() {}); err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if _, err := os.Stat(m.path + ".new"); err == nil {
		t.Error("an unfinished record is still there")
	}
	again, warning, err := Recall([]string{"/a"}, "here")
	if err != nil || len(again.Devices()) != 1 || again.Devices()[7] != "tun3" {
		t.Error(again.Devices(), err)
	}
	if !strings.Contains(warning, "no device") {
		t.Errorf("warning: %q", warning)
	}
}

// TestRefusedRenames: where the record cannot be replaced, no unfinished one is left.
func TestRefusedRenames(t *testing.T) {
	nstest.Enter(t)
	lock, err := Lock(context.Background(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	m, _, err := Recall([]string{"/a"}, "here")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(m.path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := m.Remember([]netcfg.Step{{Device: "tun1", Index: 5}}); err == nil {
		t.Error("a directory was replaced")
	}
	if files, err := filepath.Glob(Directory + "/*.new"); err != nil || len(files) != 0 {
		t.Errorf("left: %q, %v", files, err)
	}
}
