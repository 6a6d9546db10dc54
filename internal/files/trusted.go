package files

import (
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// A WrongKind is the error of a path that leads neither to a regular file nor to a directory. It names the kind.
type WrongKind string

// The kinds of which the standard input could be the other end.
const (
	FIFO       WrongKind = "a FIFO"
	DeviceNode WrongKind = "a device node"
)

func (k WrongKind) Error() string { return string(k) + ", not a file" }

// Untrusted is the error of a file or a directory that another user can change.
type Untrusted struct {
	Directory bool
	owner     uint32 // UID
	reader    int    // UID of the process
	mode      uint32 // permission bits
}

func (u *Untrusted) Error() string {
	if u.mode&writable != 0 {
		return fmt.Sprintf("writable by users other than its owner (mode %04o)", u.mode)
	}
	if u.reader == 0 {
		return fmt.Sprintf("owned by UID %d, not by root", u.owner)
	}
	return fmt.Sprintf("owned by UID %d, not by UID %d", u.owner, u.reader)
}

// writable are the permissions of the group and of others to write.
const writable = 0o022

// kernelFiles are the file systems whose regular files are interfaces of the kernel.
var kernelFiles = []int64{
	unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.NSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC,
	unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC,
}

// OpenTrusted opens a regular file or a directory for reading. Only its owner may be able to write it, and if the
// process is root, root must be its owner, and nobody else may be able to put another file in its place. The error is a
// [WrongKind], an [*Untrusted], an [*Above] or an errno.
func OpenTrusted(path string) (*os.File, error) {
	fd, err := OpenChecked(path, unix.O_RDONLY, checkKind)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t // of the open file: nobody can exchange it
	if err = unix.Fstat(fd, &st); err == nil {
		err = trust(&st, os.Geteuid())
	}
	if err == nil {
		err = CheckAbove(path)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// checkKind accepts regular files and directories.
func checkKind(st *unix.Stat_t, on *unix.Statfs_t) error {
	kind := map[uint32]WrongKind{
		unix.S_IFIFO: FIFO, unix.S_IFSOCK: "a socket", unix.S_IFCHR: DeviceNode, unix.S_IFBLK: DeviceNode,
	}[st.Mode&unix.S_IFMT]
	switch {
	case kind != "":
		return kind
	case slices.Contains(kernelFiles, int64(on.Type)):
		return WrongKind("an interface of the kernel")
	}
	return nil
}

// trust refuses a file that a user other than the reader and root can change. An ordinary user may read the files of
// others, whose content has no more effect than what that user could do anyway.
func trust(st *unix.Stat_t, reader int) error {
	if st.Mode&writable == 0 && (reader != 0 || st.Uid == 0) {
		return nil
	}
	return &Untrusted{st.Mode&unix.S_IFMT == unix.S_IFDIR, st.Uid, reader, st.Mode & 0o7777}
}

// CheckPrivate checks that a path is a directory that only this process's user can change. A link is not followed.
// The error is an [*Untrusted] or an errno.
func CheckPrivate(path string) error {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return &fs.PathError{Op: "lstat", Path: path, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return &fs.PathError{Op: "open", Path: path, Err: unix.ENOTDIR}
	}
	if st.Mode&writable != 0 || int(st.Uid) != os.Geteuid() {
		return &Untrusted{true, st.Uid, os.Geteuid(), st.Mode & 0o7777}
	}
	return nil
}
