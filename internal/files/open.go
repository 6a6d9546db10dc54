// Package files opens and writes files apart from the Go runtime's poller, and checks a file before it is opened.
//
// The runtime starts its poller for the first file that os.OpenFile opens. If there are no descriptors for the poller,
// it ends the whole program.
package files

import (
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Open opens a file as os.OpenFile does, without the runtime's poller.
func Open(path string, flags int, mode fs.FileMode) (*os.File, error) {
	fd, err := open(path, flags, mode)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// OpenNow opens a file as Open does, but does not wait for the other end of a FIFO or for a terminal: no signal could
// end that wait. A FIFO that no program reads cannot be opened for writing: the errno is ENXIO.
func OpenNow(path string, flags int, mode fs.FileMode) (*os.File, error) {
	fd, err := open(path, flags|quietFlags, mode)
	if err != nil {
		return nil, err
	}
	if err := unix.SetNonblock(fd, false); err != nil {
		unix.Close(fd)
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(fd), path), nil
}

func open(path string, flags int, mode fs.FileMode) (int, error) {
	for {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, uint32(mode.Perm()))
		switch {
		case err == nil:
			return fd, nil
		case err != unix.EINTR:
			return -1, &fs.PathError{Op: "open", Path: path, Err: err}
		}
	}
}

// Read returns the content of a file as os.ReadFile does, without the runtime's poller.
func Read(path string) ([]byte, error) {
	f, err := Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// Names returns the names of the entries of a directory in no particular order, none if it cannot be read.
func Names(path string) []string {
	f, err := Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return names
}

// Inode returns the number of the inode that a path leads to, 0 if there is none. For a path below /proc/PID/ns it
// identifies the namespace.
func Inode(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Ino
}

// Replace gives a file a new content in one step: it writes the file unfinished, of mode 0600, and renames it to path.
// On an error path is unchanged, and unfinished is removed. Both paths must be in the same directory.
func Replace(path, unfinished string, text []byte) error {
	f, err := Open(unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|unix.O_NOFOLLOW, 0o600)
	if err == nil {
		_, err = f.Write(text)
		err = errors.Join(err, f.Close())
	}
	return rename(path, unfinished, err)
}

// Publish does the same with a file of mode 0644, for a reader that may come at any time, also after a crash of the
// machine: the content is on the disk before the file has its name. Until then it has a name that no other run uses.
func Publish(path string, text []byte) error {
	unfinished := filepath.Join(filepath.Dir(path), ".tunadm-"+strconv.FormatUint(rand.Uint64(), 36))
	f, err := Open(unfinished, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	return rename(path, unfinished, err)
}

// rename renames the unfinished file, or removes it if there was an error.
func rename(path, unfinished string, err error) error {
	if err == nil {
		err = os.Rename(unfinished, path)
	}
	if err == nil {
		return nil
	}
	if left := os.Remove(unfinished); !errors.Is(left, fs.ErrNotExist) {
		err = errors.Join(err, left)
	}
	return err
}
