// Package netcfg is the domain: the configuration asked of a TUN/TAP device ([Spec]), the observed state ([Device]),
// the steps from one to the other ([Plan]), and the engine that runs and undoes them ([Namespace.Run]). It prints
// nothing.
package netcfg

import (
	"errors"
	"io/fs"
	"runtime"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/netns"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
	"golang.org/x/sys/unix"
)

// A Namespace is one network namespace: it observes its devices and runs steps on them. All methods must be called from
// the goroutine that opened it.
type Namespace struct {
	socket *rtnl.Socket
	sysfs  driver.Sysfs
	node   string // path of the driver's node; "": the default
	held   int    // number of open descriptors of new devices

	// Directory looks up the names of users and groups.
	Directory users.Directory

	search holders.Search // for the programs that are attached

	announcements *rtnl.Socket // see hear; nil: not open yet

	features features // the features that this kernel has, of those that are used
}

// features are interfaces that have a substitute, of kernels newer than Linux 5.10 or not for all programs.
type features uint8

const (
	noCarrier   features = 1 << iota // attach without turning on the carrier: IFF_NO_CARRIER, Linux 6.1
	queueCount                       // the queues of a single-queue device by ethtool, Linux 6.9
	netnsCookie                      // SO_NETNS_COOKIE, Linux 5.14
	liveRename                       // rename a device that is up, Linux 6.2
	ownDelay                         // the forward delay of a bridge under another root, not for some 32-bit programs

	allFeatures = noCarrier | queueCount | netnsCookie | liveRename | ownDelay
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

// Socket returns the netlink socket of the namespace.
func (ns *Namespace) Socket() *rtnl.Socket { return ns.socket }

// Close closes the descriptors. The thread stays in the namespace.
func (ns *Namespace) Close() {
	ns.socket.Close()
	if ns.announcements != nil {
		ns.announcements.Close()
	}
	ns.sysfs.Close()
}

// enter moves the thread into a network namespace, given as for --netns: a name, a PID or a path.
func enter(ns string) error {
	path, err := netns.Find(ns)
	if err != nil {
		return explainNamespace(ns, path, err)
	}
	fd, err := netns.Open(path)
	if err != nil {
		return explainNamespace(ns, path, err)
	}
	defer unix.Close(fd)
	if err := unix.Setns(fd, unix.CLONE_NEWNET); err != nil {
		return explainNamespace(ns, path, err)
	}
	return nil
}

// explainNamespace returns the reason why a network namespace could not be entered.
func explainNamespace(ns, path string, err error) error {
	e := &cause.Error{What: "netns " + words.Escape(ns), Err: err}
	switch {
	case errors.Is(err, unix.EINVAL):
		e.Cause, e.Detail, e.Err = cause.NoNamespace, "not a network namespace", nil
	case errors.Is(err, unix.EACCES):
		e.Cause, e.Fix, e.Detail = cause.NotPermitted, surroundings.Inspecting(), "the process may not be inspected"
	case errors.Is(err, unix.EPERM):
		e.Cause, e.Fix = cause.NotPermitted, surroundings.AsRoot()
		pid, ok := strings.CutSuffix(strings.TrimPrefix(path, "/proc/"), "/ns/net")
		if ok && strings.Trim(pid, "0123456789") == "" && !netns.SharesUser(pid) {
			e.Cause, e.Fix = cause.ForeignNamespace, fix.Run(fix.Command{Words: []string{
				"nsenter", "--preserve-credentials", "-U", "-n", "-t", pid, "tunadm", "..."}})
		}
	case errors.Is(err, fs.ErrNotExist):
		e.Cause = cause.NoNamespace
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
		return "", &cause.Error{What: "inspect the network namespace", Err: err}
	}
	return "inode " + strconv.FormatUint(st.Ino, 10), nil
}
