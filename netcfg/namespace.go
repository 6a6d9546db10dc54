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

	features features // that are used where the kernel has them
}

// features are interfaces that a kernel newer than Linux 5.10 may have, and for which there is a substitute.
type features uint8

const (
	noCarrier   features = 1 << iota // attach without turning the carrier on: IFF_NO_CARRIER, Linux 6.1
	queueCount                       // the queues of a single-queue device by ethtool, which Linux 5.10 lacks
	netnsCookie                      // SO_NETNS_COOKIE, Linux 5.14

	allFeatures = noCarrier | queueCount | netnsCookie
)

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
	return &Namespace{socket: s, features: allFeatures}, nil
}

// Close closes the descriptors. The thread stays in the namespace.
func (ns *Namespace) Close() {
	ns.socket.Close()
	if ns.sysfsFD > 0 {
		unix.Close(ns.sysfsFD)
	}
}
