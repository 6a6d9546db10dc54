package loop

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/tunadm/tunadm/internal/state"
)

// TestRecordsOfOtherVersions reads the record that an earlier version wrote, with everything in it.
func TestRecordsOfOtherVersions(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tunadm")
	l, err := state.Directory(dir).OpenLoop("here")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := l.Remember(Memory{}); err != nil { // for its name and the ID of this boot
		t.Fatal(err)
	}
	files, err := filepath.Glob(dir + "/loop-*.json")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	type record struct {
		Boot string          `json:"boot"`
		Made json.RawMessage `json:"made"`
	}
	var current, kept record
	parse(t, files[0], &current)
	text := parse(t, "testdata/loop-0.1.0.json", &kept)
	text = bytes.Replace(text, []byte("BOOT"), []byte(current.Boot), 1)
	if err := os.WriteFile(files[0], text, 0o600); err != nil {
		t.Fatal(err)
	}
	var m Memory
	if found, err := l.Recall(&m); !found || err != nil {
		t.Fatal(found, err)
	}
	if again, err := json.Marshal(m); err != nil || !bytes.Equal(again, kept.Made) {
		t.Errorf("read as %s, want %s; %v", again, kept.Made, err)
	}
}

// parse reads a file of JSON.
func parse(t *testing.T, path string, to any) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, to)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}
