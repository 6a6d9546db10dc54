package netcfg

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
)

// netnsDirectory is where ip-netns(8) keeps the namespaces that have a name.
const netnsDirectory = "/run/netns"

// enter takes the thread into a network namespace.
func enter(ns string) error {
	path, err := findNamespace(ns)
	if err != nil {
		return err
	}
	fd, err := openNamespace(path)
	if err != nil {
		return explainNamespace(ns, path, err)
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return explainNamespace(ns, path, err)
	}
	return nil
}

// openNamespace opens a file of a namespace of any type; setns checks that it is a network namespace.
func openNamespace(path string) (int, error) {
	return files.OpenChecked(path, unix.O_RDONLY, func(_ *unix.Stat_t, on *unix.Statfs_t) error {
		if on.Type != unix.NSFS_MAGIC {
			return unix.EINVAL
		}
		return nil
	})
}

// findNamespace looks for a name first, then a process. What has a slash is a path: a word never means a file of the working directory.
func findNamespace(ns string) (string, error) {
	candidates := []string{ns}
	if !strings.Contains(ns, "/") {
		candidates[0] = filepath.Join(netnsDirectory, ns)
		if _, err := strconv.ParseUint(ns, 10, 31); err == nil {
			candidates = append(candidates, filepath.Join("/proc", ns, "ns/net"))
		}
	}
	for _, path := range candidates {
		if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
	}
	return "", &Error{What: "netns " + Escape(ns), Cause: NoNamespace, Err: unix.ENOENT}
}

func explainNamespace(ns, path string, err error) error {
	e := &Error{What: "netns " + Escape(ns), Err: err}
	switch {
	case errors.Is(err, unix.EINVAL):
		e.Cause, e.Detail = NoNamespace, "it is no network namespace"
	case errors.Is(err, unix.EACCES):
		e.Cause, e.Fix, e.Detail = NotPermitted, asRoot(), "this user may not look into the process"
	case errors.Is(err, unix.EPERM):
		e.Cause, e.Fix = NotPermitted, asRoot()
		if pid, ok := strings.CutSuffix(strings.TrimPrefix(path, "/proc/"), "/ns/net"); ok && strings.Trim(pid, "0123456789") == "" {
			e.Cause, e.Fix = ForeignNamespace, Run(Command{Words: []string{"nsenter", "--preserve-credentials", "-U", "-n", "-t", pid, "tunadm", "..."}})
		}
	case errors.Is(err, fs.ErrNotExist):
		e.Cause = NoNamespace
	}
	return e
}

// Identity tells the network namespace from all others since the machine was started, as long as it runs.
func (ns *Namespace) Identity() (string, error) {
	if cookie, err := unix.GetsockoptUint64(ns.socket.FD(), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE); err == nil && !ns.old { // Linux 5.14
		return "cookie " + strconv.FormatUint(cookie, 10), nil
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return "", &Error{What: "look at the network namespace", Err: err}
	}
	return "inode " + strconv.FormatUint(st.Ino, 10), nil
}
