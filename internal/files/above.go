package files

import (
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// An Above is the error of a directory on the way to a file. Who can change it can put another file in the place.
type Above struct {
	path string
	why  error
}

func (a *Above) Error() string { return "the directory " + a.path + " is " + a.why.Error() }

func (a *Above) Unwrap() error { return a.why }

// linksMost is how many symbolic links the kernel follows on one path.
const linksMost = 40

// CheckAbove returns an [*Above] if a user other than root can rename what is on the way to a path, symbolic links
// included: a directory or a link belongs to that user, or others may write the directory. In a directory with the
// sticky bit, such as /tmp, they may rename only what is theirs. It checks nothing if the process is not root, or if
// its user namespace does not know all users.
func CheckAbove(path string) error {
	ids, err := Read("/proc/self/uid_map")
	const every = "0 0 4294967295"
	if os.Geteuid() != 0 || err != nil || strings.Join(strings.Fields(string(ids)), " ") != every {
		return nil
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	dir, rest := "/", strings.Split(path[1:], "/")
	for links := 0; len(rest) > 0 && links <= linksMost; {
		name := rest[0]
		rest = rest[1:]
		var st, at unix.Stat_t
		if err := unix.Stat(dir, &st); err != nil {
			return err
		}
		sticky := st.Mode&unix.S_ISVTX != 0
		if st.Uid != 0 || st.Mode&writable != 0 && !sticky {
			return &Above{dir, trust(&st, 0)}
		}
		next := filepath.Join(dir, name)
		if err := unix.Lstat(next, &at); err == unix.ENOENT {
			return nil // only root could have removed it
		} else if err != nil {
			return err
		}
		if at.Mode&unix.S_IFMT != unix.S_IFLNK {
			dir = next
			continue
		}
		if links++; at.Uid != 0 && st.Mode&writable != 0 {
			return &Above{dir, trust(&st, 0)}
		}
		to, err := os.Readlink(next)
		if err != nil {
			return err
		}
		if filepath.IsAbs(to) {
			dir = "/"
		}
		rest = append(strings.Split(strings.TrimPrefix(filepath.Clean(to), "/"), "/"), rest...)
	}
	return nil
}
