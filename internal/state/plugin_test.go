package state

import (
	"os"
	"strings"
	"testing"
)

// TestTaps remembers taps by their attachments. A damaged record, and one of another boot or format, count as missing.
func TestTaps(t *testing.T) {
	dir := newDirectory(t)
	if err := dir.Prepare(); err != nil {
		t.Fatal(err)
	}
	first := Tap{Network: "a", Container: "c", Name: "tap0", Netns: "/run/netns/x", Namespace: "cookie 1", Index: 5}
	other := first
	other.Network = "b"
	for _, tap := range []Tap{first, other} {
		if err := dir.RememberTap(tap); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := dir.RecallTap("a", "c", "tap0"); err != nil || *got != first {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := dir.RecallTap("a", "c", "tap1"); err != nil || got != nil {
		t.Errorf("got %v, %v", got, err)
	}
	if all, err := dir.Taps("a"); err != nil || len(all) != 1 || all[0] != first {
		t.Errorf("got %v, %v", all, err)
	}
	s := dir.tap("a", "c", "tap0")
	text, err := os.ReadFile(s.file())
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string]string{
		"half a file":      string(text[:len(text)/2]),
		"another boot":     strings.Replace(string(text), s.Boot, "other", 1),
		"another format":   strings.Replace(string(text), `"version":1`, `"version":99`, 1),
		"impossible index": strings.Replace(string(text), `"Index":5`, `"Index":-5`, 1),
	} {
		if err := os.WriteFile(s.file(), []byte(damaged), 0o600); err != nil || damaged == string(text) {
			t.Fatal(name, err)
		}
		got, err := dir.RecallTap("a", "c", "tap0")
		all, failed := dir.Taps("a")
		if got != nil || err != nil || len(all) != 0 || failed != nil {
			t.Errorf("%s: got %v, %v, %v, %v", name, got, err, all, failed)
		}
	}
	if err := os.WriteFile(s.path+unfinished, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := dir.ForgetTap("a", "c", "tap0"); err != nil {
			t.Error(err)
		}
	}
	if names, _ := os.ReadDir(string(dir)); len(names) != 2 { // the lock, and the other tap
		t.Error(names)
	}
}
