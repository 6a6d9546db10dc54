package netcfg

import (
	"runtime"

	"github.com/tunadm/tunadm/internal/rtnl"
	"golang.org/x/sys/unix"
)

// A Namespace is one network namespace: it reads its devices, and does steps on them. Everything is called from the
// goroutine that opened it.
type Namespace struct {
	socket  *rtnl.Socket
	sysfsFD int    // 0: not mounted
	node    string // of the driver; "": where it always is
	held    int    // descriptors of new devices that are open

	// Directory looks up the names of users and groups.
	Directory Directory

	stranded []int // PIDs of examiners that did not end

	// old pretends that the probes for what came after Linux 5.10 found nothing, so that tests reach the fallbacks.
	old bool
}

// Open enters the network namespace ns, if it is not "", and opens it: the name of one as ip-netns(8) knows it, else the
// number of a process in one; with a slash, the path of one. A goroutine that enters one stays on its thread for good, since
// a namespace belongs to a thread.
func Open(ns string) (*Namespace, error) {
	if ns != "" {
		runtime.LockOSThread()
		if err := enter(ns); err != nil {
			return nil, err
		}
	}
	s, err := rtnl.Open(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return &Namespace{socket: s}, nil
}

// Close closes the descriptors. The thread stays in the namespace.
func (ns *Namespace) Close() {
	ns.socket.Close()
	if ns.sysfsFD > 0 {
		unix.Close(ns.sysfsFD)
	}
}
