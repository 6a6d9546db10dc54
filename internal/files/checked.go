package files

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// quietFlags open a file without waiting for a peer and without making it the controlling terminal.
const quietFlags = unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC

// OpenChecked opens a file if check accepts its status and its file system, and returns a descriptor in blocking mode.
// The error is an errno or the one that check returned. The status is read before the file is opened, since opening a
// FIFO waits for its other end and opening a device node can have any effect. The file that was checked is the file
// that is opened: nobody can exchange it in between.
func OpenChecked(path string, flags int, check func(*unix.Stat_t, *unix.Statfs_t) error) (int, error) {
	checked, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	defer unix.Close(checked)
	var st unix.Stat_t
	var on unix.Statfs_t
	if err := unix.Fstat(checked, &st); err != nil {
		return -1, err
	}
	if err := unix.Fstatfs(checked, &on); err != nil {
		return -1, err
	}
	if err := check(&st, &on); err != nil {
		return -1, err
	}
	fd, err := unix.Open("/proc/self/fd/"+strconv.Itoa(checked), flags|quietFlags, 0)
	if errors.Is(err, unix.ENOENT) { // no /proc
		fd, err = unix.Open(path, flags|quietFlags, 0)
	}
	if err != nil {
		return -1, err
	}
	var opened unix.Stat_t
	if err := unix.Fstat(fd, &opened); err != nil || opened.Dev != st.Dev || opened.Ino != st.Ino {
		unix.Close(fd)
		return -1, unix.ESTALE
	}
	return fd, unix.SetNonblock(fd, false)
}
