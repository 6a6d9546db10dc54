package netcfg

import (
	"cmp"
	"errors"
	"unsafe"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/words"
)

// driver is the node through which devices are created and attached to, unless [Namespace.UseNode] sets another.
const driver = "/dev/net/tun"

// indexTaken is the index of lo in every network namespace. A TUNSETIFF that asks for it can attach but never create:
// registering a second device with this index fails with EBUSY.
const indexTaken = 1

// UseNode sets another path for the driver's node. The error is a [*cause.Error] if the node cannot be opened there.
func (ns *Namespace) UseNode(path string) error {
	ns.node = path
	fd, err := ns.openDriver()
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// openDriver opens the driver in the thread's network namespace. It marks the descriptor as one that tunadm holds to
// observe or change a device.
func (ns *Namespace) openDriver() (int, error) {
	node := cmp.Or(ns.node, driver)
	var fd int
	var err error
	if ns.node != "" && ns.node != driver {
		fd, err = openNode(node)
	} else {
		fd, err = unix.Open(node, unix.O_RDWR|unix.O_CLOEXEC|holders.ClaimMark, 0)
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

// openNode opens a file if it is the driver's node.
func openNode(path string) (int, error) {
	return files.OpenChecked(path, unix.O_RDWR|holders.ClaimMark, func(st *unix.Stat_t, _ *unix.Statfs_t) error {
		if !isDriver(st) {
			return unix.ENOTTY
		}
		return nil
	})
}

// isDriver reports whether a file is the driver's node, at any path.
func isDriver(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == unix.Mkdev(holders.Major, holders.Minor)
}

// setInterface calls TUNSETIFF and returns the device's name.
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

// setAccess sets the owner and the group of the attached device where want differs from have.
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
			e := &cause.Error{What: c.what + words.Escape(c.want.String()), Err: err}
			if errors.Is(err, unix.EINVAL) {
				e.Detail = "this user namespace has no such ID"
			}
			return e
		}
	}
	return nil
}

// claim attaches to an existing device, and never creates one. It leaves the carrier and the flags that netlink reports
// unchanged. stored is the flags that netlink does not report, see StoredFlags. While the descriptor is open, no other
// program can attach to a single-queue device.
func (ns *Namespace) claim(d *Device, stored uint16) (fd int, err error) {
	flags := d.flags() | stored
	fd, err = ns.attach(d, flags)
	if cause.Gone(err) {
		// If the tap kept a program's packet filter, TUNSETIFF without this bit (IFF_NOFILTER) succeeds but does not
		// attach.
		fd, err = ns.attach(d, flags|unix.IFF_NO_PI)
	}
	return fd, err
}

// attach attaches to this device, and never creates one. From Linux 6.1 on, it leaves the carrier unchanged.
func (ns *Namespace) attach(d *Device, flags uint16) (fd int, err error) {
	if fd, err = ns.openDriver(); err != nil {
		return -1, err
	}
	opened := fd // fd is not a descriptor after a return with an error
	defer func() {
		if err != nil {
			unix.Close(opened)
		}
	}()
	if ns.knowsNoCarrier(fd) {
		flags |= unix.IFF_NO_CARRIER
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETIFINDEX, indexTaken); err != nil {
		return -1, &cause.Error{Device: d.Name, What: "attach", Err: err}
	}
	if err := ns.setFreeInterface(fd, d, flags); err != nil {
		return -1, err
	}
	_, index, err := ns.identify(fd)
	switch {
	case err != nil && !cause.Gone(err):
		return -1, &cause.Error{Device: d.Name, What: "read the device", Err: err}
	case err != nil, index != d.Index: // the device was deleted or renamed, or claim has to try again
		return -1, cause.Vanished(d.Name)
	}
	return fd, nil
}

// setFreeInterface attaches to the device. It retries EBUSY if no program uses the device: a program that reads
// another's descriptor in /proc holds it for a moment, even after it was closed.
func (ns *Namespace) setFreeInterface(fd int, d *Device, flags uint16) (err error) {
	const tries = 10
	for range tries {
		if _, err = setInterface(fd, d.Name, flags); err == nil {
			return nil
		}
		err = ns.explainAttach(d, err)
		if e := new(cause.Error); !errors.As(err, &e) || !e.Released {
			break
		}
	}
	return err
}

// identify returns the name and the index of a descriptor's device. The kernel reports an index by name only, and the
// name may pass to another device in between. So identify requires the same name before and after.
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

// getInterface returns the name and the flags of a descriptor's device.
func getInterface(fd int) (name string, flags uint16, err error) {
	ifr, err := unix.NewIfreq("")
	if err != nil {
		return "", 0, err
	}
	err = unix.IoctlIfreq(fd, unix.TUNGETIFF, ifr)
	return ifr.Name(), ifr.Uint16(), err
}

// claimWhole is a claim that keeps all flags of the device except one, which requires CAP_NET_ADMIN in the initial user
// namespace.
func (ns *Namespace) claimWhole(d *Device) (fd int, err error) {
	return ns.claim(d, ns.StoredFlags(d)&^flagNAPIFrags)
}

// tryClaim claims a device and releases it.
func (ns *Namespace) tryClaim(d *Device) error {
	fd, err := ns.claimWhole(d)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// changeAccess runs an access step.
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

// index returns the index of the device with this name.
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

// enabledQueues returns the number of programs attached to a single-queue device, 0 or 1. It requires no privilege.
// Unlike the carrier, it is always right.
func (ns *Namespace) enabledQueues(name string) (int, error) {
	channels := ethtoolChannels{command: unix.ETHTOOL_GCHANNELS}
	if err := ns.ethtool(name, unsafe.Slice((*byte)(unsafe.Pointer(&channels)), unsafe.Sizeof(channels))); err != nil {
		return 0, err
	}
	return int(channels.combined), nil
}
