package netcfg

import (
	"cmp"
	"errors"
	"unsafe"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
)

// driver is the node through which TUN/TAP devices are made and attached to, unless [Namespace.UseNode] names another.
const driver = "/dev/net/tun"

// indexTaken is the index of lo, in every network namespace. A TUNSETIFF that asks for it can attach but never
// create: registering a second device of an index fails with EBUSY.
const indexTaken = 1

// UseNode has the driver opened at another path. The error is an [*Error]: it cannot be opened there.
func (ns *Namespace) UseNode(path string) error {
	ns.node = path
	fd, err := ns.openDriver()
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// openDriver opens the driver in the thread's network namespace, marked as a descriptor with which the program looks or
// changes something.
func (ns *Namespace) openDriver() (int, error) {
	node := cmp.Or(ns.node, driver)
	var fd int
	var err error
	if ns.node != "" && ns.node != driver {
		fd, err = openNode(node)
	} else {
		fd, err = unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC|claimMark, 0)
	}
	if err != nil {
		return -1, explainOpen(node, err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || !isDriver(&st) {
		unix.Close(fd)
		return -1, explainOpen(node, unix.ENOTTY)
	}
	return fd, nil
}

// openNode opens a file only if it is the driver's node.
func openNode(path string) (int, error) {
	return files.OpenChecked(path, unix.O_RDWR|claimMark, func(st *unix.Stat_t, _ *unix.Statfs_t) error {
		if !isDriver(st) {
			return unix.ENOTTY
		}
		return nil
	})
}

// isDriver says whether a file is the driver's node, wherever it stands.
func isDriver(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(tunMajor, tunMinor)
}

// setInterface does TUNSETIFF and gives back the name of the device.
func setInterface(fd int, name string, flags uint16) (string, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return "", err
	}
	ifr.SetUint16(flags)
	err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	return ifr.Name(), err
}

// setLink changes attributes of one link.
func (ns *Namespace) setLink(index int, attributes ...nl.NetlinkRequestData) error {
	return ns.socket.Do(linkChange(index, attributes...), nil)
}

// setAccess gives the attached device the owner and the group in which want differs from have.
func setAccess(fd int, want, have Access) error {
	for _, c := range []struct {
		what       string
		request    uint
		want, have *ID
	}{{"owner ", unix.TUNSETOWNER, want.User, have.User}, {"group ", unix.TUNSETGROUP, want.Group, have.Group}} {
		if sameID(c.want, c.have) {
			continue
		}
		if err := unix.IoctlSetInt(fd, c.request, int(c.want.Number)); err != nil {
			e := &Error{What: c.what + Escape(c.want.String()), Err: err}
			if errors.Is(err, unix.EINVAL) {
				e.Detail = "this user namespace has no such number"
			}
			return e
		}
	}
	return nil
}

// claim attaches to a device that is there, and never makes one. The carrier stays as it is, and so do the flags that
// netlink tells; stored are those that it does not tell, see StoredFlags. While the descriptor is open nobody else can
// attach to a single-queue device.
func (ns *Namespace) claim(d *Device, stored uint16) (fd int, err error) {
	flags := d.flags() | stored
	fd, err = ns.attach(d, flags)
	if Gone(err) {
		// A tap that kept a program's packet filter: without this bit (IFF_NOFILTER) TUNSETIFF says yes and does not
		// attach.
		fd, err = ns.attach(d, flags|unix.IFF_NO_PI)
	}
	return fd, err
}

// attach attaches to the very device, and never makes one. The carrier stays as it is, if the kernel can do that (Linux
// 6.1).
func (ns *Namespace) attach(d *Device, flags uint16) (fd int, err error) {
	if fd, err = ns.openDriver(); err != nil {
		return -1, err
	}
	opened := fd // what a return with an error makes of fd is no descriptor
	defer func() {
		if err != nil {
			unix.Close(opened)
		}
	}()
	if ns.knowsNoCarrier(fd) {
		flags |= unix.IFF_NO_CARRIER
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETIFINDEX, indexTaken); err != nil {
		return -1, &Error{Device: d.Name, What: "attach", Err: err}
	}
	if err := ns.setFreeInterface(fd, d, flags); err != nil {
		return -1, err
	}
	_, index, err := ns.identify(fd)
	switch {
	case err != nil && !Gone(err):
		return -1, &Error{Device: d.Name, What: "look it up", Err: err}
	case err != nil, index != d.Index: // it was deleted or renamed, or claim has to try again
		return -1, vanished(d.Name)
	}
	return fd, nil
}

// setFreeInterface attaches to the device. A program that looks at another's descriptor in /proc holds it for a moment,
// even after it was closed: EBUSY of a device that nobody uses any more is no reason to give up.
func (ns *Namespace) setFreeInterface(fd int, d *Device, flags uint16) (err error) {
	const tries = 10
	for range tries {
		if _, err = setInterface(fd, d.Name, flags); err == nil {
			return nil
		}
		err = ns.explainAttach(d, err)
		if e := new(Error); !errors.As(err, &e) || !e.released {
			break
		}
	}
	return err
}

// identify is the name and the index of the very device of a descriptor. The kernel tells an index by the name only,
// which somebody may give to another device in between: so it must be the same before and after.
func (ns *Namespace) identify(fd int) (name string, index int, err error) {
	const tries = 10
	for range tries {
		if name, _, err = getInterface(fd); err != nil {
			return "", 0, err
		}
		if index, err = ns.index(name); err != nil && !errors.Is(err, unix.ENODEV) {
			return "", 0, err
		}
		again, _, lost := getInterface(fd)
		if lost != nil {
			return "", 0, lost
		}
		if err == nil && again == name {
			return name, index, nil
		}
	}
	return "", 0, cmp.Or(err, error(unix.EAGAIN))
}

// getInterface is the name and the flags of the device of a descriptor.
func getInterface(fd int) (name string, flags uint16, err error) {
	ifr, err := unix.NewIfreq("")
	if err != nil {
		return "", 0, err
	}
	err = unix.IoctlIfreq(fd, unix.TUNGETIFF, ifr)
	return ifr.Name(), ifr.Uint16(), err
}

// claimWhole is a claim that keeps all flags of the device but one, which only programs with rights on the whole
// machine may ask for.
func (ns *Namespace) claimWhole(d *Device) (fd int, err error) {
	return ns.claim(d, ns.StoredFlags(d)&^FlagNAPIFrags)
}

// tryClaim claims a device, and lets it go again.
func (ns *Namespace) tryClaim(d *Device) error {
	fd, err := ns.claimWhole(d)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// changeAccess does an access step.
func (ns *Namespace) changeAccess(s *task) (err error) {
	if s.hold != nil {
		return setAccess(s.hold.fd, *s.Access, s.Old.Access)
	}
	restore, err := ns.withoutLinkLocal(s.Old.Index)
	if err != nil {
		return err
	}
	defer func() {
		if failed := restore(); err == nil {
			err = failed
		}
	}()
	fd, err := ns.claimWhole(s.Old)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return setAccess(fd, *s.Access, s.Old.Access)
}

// index is the index of the device of that name.
func (ns *Namespace) index(name string) (int, error) {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return 0, err
	}
	err = unix.IoctlIfreq(ns.socket.FD(), unix.SIOCGIFINDEX, ifr)
	return int(ifr.Uint32()), err
}

// ethtoolChannels is the kernel's struct ethtool_channels.
type ethtoolChannels struct {
	command                             uint32
	maxRx, maxTx, maxOther, maxCombined uint32
	rx, tx, other, combined             uint32
}

// enabledQueues is the number of programs attached to a single-queue device, 0 or 1. It needs no privilege, and unlike
// the carrier it does not lie.
func (ns *Namespace) enabledQueues(name string) (int, error) {
	channels := ethtoolChannels{command: unix.ETHTOOL_GCHANNELS}
	if err := ns.ethtool(name, unsafe.Slice((*byte)(unsafe.Pointer(&channels)), unsafe.Sizeof(channels))); err != nil {
		return 0, err
	}
	return int(channels.combined), nil
}
