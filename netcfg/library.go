package netcfg

import (
	"errors"
	"strings"
	"sync"

	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// The functions of the netlink library open a socket for each call, in the network namespace of the thread. A Handle
// would keep one, but it does not ask for the kernel's words.

// withWords makes the library ask for the kernel's own explanation of an error.
var withWords = sync.OnceFunc(func() { nl.EnableErrorMessageReporting = true })

// library calls do, which calls the netlink library, and returns its error as internal/rtnl returns it: with an errno
// that errors.Is finds, and the kernel's words. The error is ENODEV for a link that does not exist.
func library(do func() error) error {
	withWords()
	err := do()
	notFound, errno := netlink.LinkNotFoundError{}, unix.Errno(0)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &notFound):
		return unix.ENODEV
	case errors.As(err, &errno):
		words := strings.TrimPrefix(err.Error(), errno.Error())
		return &rtnl.Refusal{Errno: errno, Words: strings.TrimPrefix(words, ": ")}
	}
	return err
}

// masterByIndex reads a master. The error is ENODEV if there is no link of that index.
func masterByIndex(index int) (master netlink.Link, err error) {
	err = library(func() (err error) {
		master, err = netlink.LinkByIndex(index)
		return err
	})
	return master, err
}

// linkKind returns the kernel's kind of a link (IFLA_INFO_KIND), "" for hardware and the loopback device.
func linkKind(link netlink.Link) string {
	switch kind := link.Type(); kind {
	case "device":
		return ""
	case "tuntap":
		return "tun"
	default:
		return kind
	}
}
