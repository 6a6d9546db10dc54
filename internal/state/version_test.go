package state

import (
	"bytes"
	"maps"
	"os"
	"reflect"
	"testing"
)

// TestRecordsOfOtherVersions reads the record that an earlier version wrote, and one with keys of a later version.
func TestRecordsOfOtherVersions(t *testing.T) {
	boot, err := bootID()
	if err != nil {
		t.Fatal(err)
	}
	for _, kept := range []string{"testdata/apply-0.1.0.json", "testdata/apply-later.json"} {
		dir := newDirectory(t)
		m := again(t, dir)
		text, err := os.ReadFile(kept)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(m.file(), bytes.Replace(text, []byte("BOOT"), []byte(boot), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		m = again(t, dir)
		if got, want := m.Devices(), (map[int]string{4: "tun5", 5: "tap6", 6: "br7"}); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", kept, got, want)
		}
		want := Bridge{Ports: []Text{"eth1"}, Moves: true}
		if got := m.Bridge(6); got == nil || !reflect.DeepEqual(*got, want) || m.Bridge(5) != nil {
			t.Errorf("%s: got the bridge %+v, want %+v", kept, got, want)
		}
	}
}
