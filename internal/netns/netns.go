// Package netns finds network namespaces and opens them.
package netns

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
)

// Directory is the directory in which ip-netns(8) keeps named network namespaces.
const Directory = "/run/netns"

// Find returns the path of a network namespace, given as for --netns. It tries the names of ip-netns(8)
// first, then the PIDs. Only a text with a slash is a path, so a name never means a file of the working directory.
func Find(name string) (string, error) {
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates[0] = filepath.Join(Directory, name)
		if _, err := strconv.ParseUint(name, 10, 31); err == nil {
			candidates = append(candidates, filepath.Join("/proc", name, "ns/net"))
		}
	}
	for _, path := range candidates {
		if _, err := os.Stat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return path, nil
		}
	}
	return "", unix.ENOENT
}

// Open opens a file of a namespace of any type; setns(2) checks that it is a network namespace.
func Open(path string) (int, error) {
	return files.OpenChecked(path, unix.O_RDONLY, func(_ *unix.Stat_t, on *unix.Statfs_t) error {
		if on.Type != unix.NSFS_MAGIC {
			return unix.EINVAL
		}
		return nil
	})
}

// Others returns the other network namespaces in which match returns true, each as --netns accepts it: the name of
// ip-netns(8), otherwise a PID. It calls match on a separate thread, which is in the namespace and ends afterwards. It
// omits those that this user may not enter. It stops at the given time, because any user can create thousands; the zero
// time is never.
func Others(end time.Time, match func(called string) bool) []string {
	seen := map[uint64]bool{files.Inode("/proc/thread-self/ns/net"): true}
	var found []string
	look := func(path, called string) {
		if inode := files.Inode(path); inode != 0 && !seen[inode] && (end.IsZero() || time.Now().Before(end)) {
			seen[inode] = true
			if matches(path, func() bool { return match(called) }) {
				found = append(found, called)
			}
		}
	}
	for _, called := range files.Names(Directory) {
		look(filepath.Join(Directory, called), called)
	}
	for _, entry := range files.Names("/proc") {
		_, named := os.Lstat(filepath.Join(Directory, entry)) // --netns would mean the name
		if _, err := strconv.Atoi(entry); err == nil && named != nil {
			look("/proc/"+entry+"/ns/net", entry)
		}
	}
	return found
}

// SharesUser reports whether a process is in the user namespace of this one.
func SharesUser(pid string) bool {
	own, err := os.Readlink("/proc/self/ns/user")
	other, failed := os.Readlink("/proc/" + pid + "/ns/user")
	return err == nil && failed == nil && own == other
}

// Label returns the name of a network namespace, or "PID " and the number, for a value that Others returned.
func Label(called string) string {
	if _, err := os.Lstat(filepath.Join(Directory, called)); err != nil {
		return "PID " + called
	}
	return called
}

func matches(path string, match func() bool) (found bool) {
	_ = Inside(path, func() error {
		found = match()
		return nil
	})
	return found
}

// Inside runs a function on a separate thread, which is in a network namespace and ends afterwards.
func Inside(path string, run func() error) (err error) {
	var done sync.WaitGroup
	done.Go(func() {
		runtime.LockOSThread()
		var fd int
		if fd, err = Open(path); err != nil {
			return
		}
		defer unix.Close(fd)
		if err = unix.Setns(fd, unix.CLONE_NEWNET); err == nil {
			err = run()
		}
	})
	done.Wait()
	return err
}
