package state

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
)

// TestLoop keeps one record for each namespace, for one process at a time.
func TestLoop(t *testing.T) {
	dir := newDirectory(t)
	var made, left []string
	l, err := dir.OpenLoop("one")
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
	_, err = dir.OpenLoop("one")
	if cause.Of(err) != cause.InUse {
		t.Errorf("a second one: %v", err)
	}
	if other, err := dir.OpenLoop("other"); err != nil {
		t.Error(err)
	} else if found, err := other.Recall(&left); found || err != nil {
		t.Error(found, err)
	}
	l.Close() // as by a kill
	if l, err = dir.OpenLoop("one"); err != nil {
		t.Fatal(err)
	}
	if found, err := l.Recall(&left); !found || err != nil || len(left) != 2 {
		t.Error(found, left, err)
	}
	if err := os.WriteFile(l.file(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Recall(&left); err == nil {
		t.Error("a damaged record counts as missing")
	}
	if err := l.Forget(); err != nil {
		t.Error(err)
	}
	if found, err := l.Recall(&left); found || err != nil {
		t.Error(found, err)
	}
	if other, err := filepath.Glob(string(dir) + "/*.new"); err != nil || len(other) > 0 {
		t.Errorf("left: %q, %v", other, err)
	}
}

// TestALoopKeepsItsUnfinishedRecord: apply removes the unfinished files of apply alone, since a loop may be writing.
func TestALoopKeepsItsUnfinishedRecord(t *testing.T) {
	dir := newDirectory(t)
	l, err := dir.OpenLoop("one")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := os.WriteFile(l.path+unfinished, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	lock, err := dir.Lock(context.Background(), func() {})
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
	if _, err := os.Stat(l.path + unfinished); err != nil {
		t.Error(err)
	}
}
