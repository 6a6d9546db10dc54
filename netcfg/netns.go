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
	"github.com/tunadm/tunadm/internal/words"
)

// netnsDirectory is the directory in which ip-netns(8) keeps named network namespaces.
const netnsDirectory = "/run/netns"

// enter moves the thread into a network namespace, given as for --netns: a name, a PID or a path.
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

// findNamespace returns the path of a network namespace. It tries the names of ip-netns(8) first, then the PIDs. Only a
// text with a slash is a path, so a name never means a file of the working directory.
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
	return "", &Error{What: "netns " + words.Escape(ns), Cause: NoNamespace, Err: unix.ENOENT}
}

// explainNamespace returns the reason why a network namespace could not be entered.
func explainNamespace(ns, path string, err error) error {
	e := &Error{What: "netns " + words.Escape(ns), Err: err}
	switch {
	case errors.Is(err, unix.EINVAL):
		e.Cause, e.Detail = NoNamespace, "not a network namespace"
	case errors.Is(err, unix.EACCES):
		e.Cause, e.Fix, e.Detail = NotPermitted, asRoot(), "this user may not inspect the process"
	case errors.Is(err, unix.EPERM):
		e.Cause, e.Fix = NotPermitted, asRoot()
		pid, ok := strings.CutSuffix(strings.TrimPrefix(path, "/proc/"), "/ns/net")
		if ok && strings.Trim(pid, "0123456789") == "" {
			words := []string{"nsenter", "--preserve-credentials", "-U", "-n", "-t", pid, "tunadm", "..."}
			e.Cause, e.Fix = ForeignNamespace, Run(Command{Words: words})
		}
	case errors.Is(err, fs.ErrNotExist):
		e.Cause = NoNamespace
	}
	return e
}

// Identity returns a text that no other network namespace has until the next boot.
func (ns *Namespace) Identity() (string, error) {
	cookie, err := unix.GetsockoptUint64(ns.socket.FD(), unix.SOL_SOCKET, unix.SO_NETNS_COOKIE) // Linux 5.14
	if err == nil && ns.features&netnsCookie != 0 {
		return "cookie " + strconv.FormatUint(cookie, 10), nil
	}
	var st unix.Stat_t
	if err := unix.Stat("/proc/thread-self/ns/net", &st); err != nil {
		return "", &Error{What: "inspect the network namespace", Err: err}
	}
	return "inode " + strconv.FormatUint(st.Ino, 10), nil
}
