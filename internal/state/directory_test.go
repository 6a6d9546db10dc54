package state

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/nstest"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

// TestLockWaits reports that it waits, and ends with the other run or with the context. An interrupted Lock may still
// get the lock afterwards, since the process is about to end: it comes last.
func TestLockWaits(t *testing.T) {
	dir := newDirectory(t)
	first, err := dir.Lock(context.Background(), func() { t.Error("the first one waits") })
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), nstest.Patience(30*time.Second))
	defer cancel()
	second, err := dir.Lock(ctx, func() { first.Close() })
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	ctx, interrupt := context.WithCancel(ctx)
	_, err = dir.Lock(ctx, interrupt)
	if cause.Of(err) != cause.Interrupted {
		t.Errorf("got %v, want an interruption", err)
	}
}

// TestTheDirectoryIsPrivate refuses a directory that others can write, a link and a file. A missing one is created.
func TestTheDirectoryIsPrivate(t *testing.T) {
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	private, shared, link, file := at("private"), at("shared"), at("link"), at("file")
	err := errors.Join(os.Mkdir(shared, 0o700), os.Chmod(shared, 0o777), os.Mkdir(private, 0o700),
		os.Symlink(private, link), os.WriteFile(file, nil, 0o600))
	if err != nil {
		t.Fatal(err)
	}
	accepted := map[string]bool{private: true, at("missing"): true, shared: false, link: false, file: false}
	for path, fine := range accepted {
		lock, err := Directory(path).Lock(context.Background(), func() {})
		loop, loopErr := Directory(path).OpenLoop("here")
		for _, err := range []error{err, loopErr} {
			e := new(cause.Error)
			if fine && err != nil || !fine && (!errors.As(err, &e) || e.Cause != cause.NotPermitted) {
				t.Errorf("%s: got %v", path, err)
			}
		}
		if fine && err == nil && loopErr == nil {
			lock.Close()
			loop.Close()
		}
	}
}
