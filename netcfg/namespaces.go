package netcfg

import (
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/holders"
)

// Elsewhere returns the other network namespaces that have a TUN/TAP device of that name, each as --netns accepts it:
// the name of ip-netns(8), otherwise a PID. It omits those that this user may not enter. It stops after three seconds,
// because any user can create thousands.
func (ns *Namespace) Elsewhere(name string) []string {
	seen := map[uint64]bool{files.Inode("/proc/thread-self/ns/net"): true}
	var found []string
	end := time.Now().Add(holders.Longest)
	look := func(path, called string) {
		if inode := files.Inode(path); inode != 0 && !seen[inode] && time.Now().Before(end) {
			seen[inode] = true
			if hasDevice(path, name) {
				found = append(found, called)
			}
		}
	}
	for _, called := range files.Names(netnsDirectory) {
		look(filepath.Join(netnsDirectory, called), called)
	}
	for _, entry := range files.Names("/proc") {
		if _, err := strconv.Atoi(entry); err == nil {
			look("/proc/"+entry+"/ns/net", entry)
		}
	}
	return found
}

// hasDevice reports whether a network namespace has a TUN/TAP device of that name. It enters the namespace on a
// separate thread, which ends afterwards.
func hasDevice(path, name string) (found bool) {
	var done sync.WaitGroup
	done.Go(func() {
		runtime.LockOSThread()
		fd, err := openNamespace(path)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		if unix.Setns(fd, unix.CLONE_NEWNET) != nil {
			return
		}
		ns, err := Open("")
		if err != nil {
			return
		}
		defer ns.Close()
		d, err := ns.link(name, 0)
		found = err == nil && d.Kind == "tun"
	})
	done.Wait()
	return found
}
