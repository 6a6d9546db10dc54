package files

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReplace replaces a file in one step, and leaves it alone if that is impossible.
func TestReplace(t *testing.T) {
	dir := t.TempDir()
	path, unfinished := filepath.Join(dir, "a"), filepath.Join(dir, "a.new")
	for _, text := range []string{"one", "a longer text", "x"} {
		if err := Replace(path, unfinished, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); err != nil || string(got) != text {
			t.Errorf("got %q, %v, want %q", got, err, text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("got %v, %v, want mode 0600", info.Mode(), err)
	}
	directory := filepath.Join(dir, "d")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Replace(directory, unfinished, []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	if _, err := os.Lstat(unfinished); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the unfinished file is left: %v", err)
	}
}

// TestReplaceFollowsNoLink has a link in the place of the unfinished file.
func TestReplaceFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	victim, unfinished := filepath.Join(dir, "victim"), filepath.Join(dir, "a.new")
	if err := os.WriteFile(victim, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, unfinished); err != nil {
		t.Fatal(err)
	}
	if err := Replace(filepath.Join(dir, "a"), unfinished, []byte("x")); !errors.Is(err, unix.ELOOP) {
		t.Errorf("got %v, want %v", err, unix.ELOOP)
	}
	if got, err := Read(victim); err != nil || string(got) != "kept" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestOpenCheckedOpensNothingThatTheCheckRefuses has a FIFO without a writer: opening it would wait for one.
func TestOpenCheckedOpensNothingThatTheCheckRefuses(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	fd, err := OpenChecked(fifo, unix.O_RDONLY, func(st *unix.Stat_t, _ *unix.Statfs_t) error {
		if st.Mode&unix.S_IFMT == unix.S_IFIFO {
			return refused
		}
		return nil
	})
	if fd != -1 || err != refused {
		t.Errorf("got %d, %v", fd, err)
	}
	fd, err = OpenChecked(fifo, unix.O_RDONLY, func(*unix.Stat_t, *unix.Statfs_t) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		t.Errorf("flags %#x, %v: the descriptor does not block", flags, err)
	}
}
