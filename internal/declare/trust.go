package declare

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/netcfg"
)

// kernelFiles are the file systems whose files are none of anybody's.
var kernelFiles = []int64{unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.NSFS_MAGIC, unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC}

// errNoFile is what an operand is that is neither a file nor a directory.
type errNoFile string

func (e errNoFile) Error() string { return "it is " + string(e) + ", not a file" }

// checkFile accepts regular files and directories.
func checkFile(st *unix.Stat_t, on *unix.Statfs_t) error {
	kind := map[uint32]string{
		unix.S_IFIFO: "a FIFO", unix.S_IFSOCK: "a socket", unix.S_IFCHR: "a device node", unix.S_IFBLK: "a device node",
	}[st.Mode&unix.S_IFMT]
	switch {
	case kind != "":
		return errNoFile(kind)
	case slices.Contains(kernelFiles, int64(on.Type)):
		return errNoFile("an interface of the kernel")
	}
	return nil
}

// openFile opens a file or a directory that is an operand, or in one, and refuses one that somebody else could have written: what
// root declares is done as root.
func openFile(path string) (*os.File, *Mistake) {
	fd, err := files.OpenChecked(path, unix.O_RDONLY, checkFile)
	if err != nil {
		m := unreadable(path, err)
		if none := errNoFile(""); errors.As(err, &none) && (none == "a FIFO" || none == "a device node") {
			m.Hint = "the file name - reads standard input"
		}
		return nil, m
	}
	f := os.NewFile(uintptr(fd), path)
	if m := checkSafe(f, path); m != nil {
		f.Close()
		return nil, m
	}
	return f, nil
}

// checkSafe looks at the open file, so that it cannot be exchanged in between.
func checkSafe(f *os.File, path string) *Mistake {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return unreadable(path, err)
	}
	m := &Mistake{Place: Place{Path: path}}
	switch {
	case st.Mode&0o022 != 0:
		m.Text = fmt.Sprintf("others than its owner may write it (mode %04o)", st.Mode&0o7777)
	case os.Geteuid() == 0 && st.Uid != 0:
		m.Text = fmt.Sprintf("it belongs to user %d, and root follows no orders but root's", st.Uid)
	default:
		return nil
	}
	if m.Hint = copyOf(path); st.Mode&unix.S_IFMT == unix.S_IFDIR {
		m.Hint = "read the files in it, and install copies of them in a directory that only root can write"
	}
	return m
}

// copyOf are commands that make a file one's own. A new owner or a new mode is not enough: whoever has the file open for writing
// writes on. So the copy is what is read, and it lies where nobody else can exchange it.
func copyOf(path string) string {
	var st unix.Stat_t
	dir, owner := filepath.Dir(path), ""
	if os.Geteuid() == 0 {
		owner = "-o root "
	}
	safe := unix.Stat(dir, &st) == nil && st.Mode&0o022 == 0 && int(st.Uid) == os.Geteuid()
	if _, err := os.Readlink(path); err == nil || !safe {
		home, _ := os.UserHomeDir()
		copied := netcfg.Word(filepath.Join(home, filepath.Base(path)))
		return fmt.Sprintf("install -m 0644 %s-T -- %s %s; read the copy, and name it instead", owner, netcfg.Word(path), copied)
	}
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	return fmt.Sprintf("install -m 0644 %s-T %s %s; read the copy, then mv %[3]s %[2]s", owner, netcfg.Word(path), netcfg.Word(path+".new"))
}
