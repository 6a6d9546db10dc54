package netcfg

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// checkSafe refuses a file or a directory that somebody else could have written: what root declares is done as root. The open file is looked
// at, so that it cannot be exchanged in between.
func checkSafe(f *os.File, path string) *Mistake {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return unreadable(path, err)
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFCHR || st.Mode&unix.S_IFMT == unix.S_IFBLK:
		return &Mistake{Place: Place{Path: path}, Text: "it is a device node, not a file"}
	case st.Mode&0o022 != 0:
		return &Mistake{Place: Place{Path: path}, Hint: "chmod go-w " + Word(path), Text: fmt.Sprintf("others than its owner may write it (mode %04o)", st.Mode&0o7777)}
	case os.Geteuid() == 0 && st.Uid != 0:
		return &Mistake{Place: Place{Path: path}, Hint: "chown root " + Word(path), Text: fmt.Sprintf("it belongs to user %d, and root follows no orders but root's", st.Uid)}
	}
	return nil
}
