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

// TestTrust compares who may have written a file with who reads it.
func TestTrust(t *testing.T) {
	const root, user, other = 0, 1000, 1001
	for _, c := range []struct {
		owner, mode uint32
		reader      int
		want        string
	}{
		{root, 0o644, root, ""},
		{root, 0o644, user, ""},
		{user, 0o600, user, ""},
		{other, 0o644, user, ""},
		{user, 0o644, root, "owned by UID 1000, not by root"},
		{root, 0o664, root, "writable by users other than its owner (mode 0664)"},
		{user, 0o602, user, "writable by users other than its owner (mode 0602)"},
		{root, 0o1777, root, "writable by users other than its owner (mode 1777)"},
	} {
		got := ""
		if err := trust(&unix.Stat_t{Uid: c.owner, Mode: unix.S_IFREG | c.mode}, c.reader); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("owner %d, mode %o, reader %d: got %q, want %q", c.owner, c.mode, c.reader, got, c.want)
		}
	}
}

// TestCheckPrivate refuses a directory that others can change, a link to a private one, and a file.
func TestCheckPrivate(t *testing.T) {
	dir := t.TempDir()
	private, shared, link := filepath.Join(dir, "private"), filepath.Join(dir, "shared"), filepath.Join(dir, "link")
	for path, mode := range map[string]os.FileMode{private: 0o700, shared: 0o770} {
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(private, "file")
	if err := errors.Join(os.Symlink(private, link), os.WriteFile(file, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := CheckPrivate(private); err != nil {
		t.Error(err)
	}
	if err, untrusted := CheckPrivate(shared), new(Untrusted); !errors.As(err, &untrusted) {
		t.Errorf("shared: got %v", err)
	}
	for _, path := range []string{link, file} {
		if err := CheckPrivate(path); !errors.Is(err, unix.ENOTDIR) {
			t.Errorf("%s: got %v, want %v", path, err, unix.ENOTDIR)
		}
	}
}

// TestPublish replaces a file for other users to read, whatever the umask, and leaves no other file.
func TestPublish(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.prom")
	old := unix.Umask(0o077)
	t.Cleanup(func() { unix.Umask(old) })
	for _, text := range []string{"a long text\n", "x\n"} {
		if err := Publish(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); err != nil || string(got) != text {
			t.Errorf("got %q, %v, want %q", got, err, text)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
		t.Errorf("got %v, %v, want mode 0644", info.Mode(), err)
	}
	directory := filepath.Join(dir, "d")
	if err := os.Mkdir(directory, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Publish(directory, []byte("x")); err == nil {
		t.Error("a directory was replaced")
	}
	if err := Publish(filepath.Join(dir, "none", "a.prom"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing directory: got %v", err)
	}
	if names := Names(dir); len(names) != 2 {
		t.Errorf("there are %q", names)
	}
}
