package netcfg

import (
	"runtime"

	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/rtnl"
	"golang.org/x/sys/unix"
)

// A Namespace is one network namespace: it observes its devices and runs steps on them. All methods must be called from
// the goroutine that opened it.
type Namespace struct {
	socket  *rtnl.Socket
	sysfsFD int    // 0: not mounted
	node    string // path of the driver's node; "": the default
	held    int    // number of open descriptors of new devices

	// Directory looks up the names of users and groups.
	Directory Directory

	search holders.Search // for the programs that are attached

	features features // the features that this kernel has, of those that are used
}

// features are interfaces of kernels newer than Linux 5.10 that have a substitute.
type features uint8

const (
	noCarrier   features = 1 << iota // attach without turning on the carrier: IFF_NO_CARRIER, Linux 6.1
	queueCount                       // the queues of a single-queue device by ethtool; not in Linux 5.10
	netnsCookie                      // SO_NETNS_COOKIE, Linux 5.14

	allFeatures = noCarrier | queueCount | netnsCookie
)

// Open enters the network namespace ns and opens it; "" is the current one. A text with a slash is a path; another text
// is a name of ip-netns(8), or else a PID. A namespace belongs to a thread, so a goroutine that enters one stays locked
// to its thread.
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
