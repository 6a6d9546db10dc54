package netcfg

import (
	"cmp"
	"errors"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/users"
)

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

// openDriver opens the driver in the thread's network namespace.
func (ns *Namespace) openDriver() (int, error) { return driver.Open(cmp.Or(ns.node, driver.Path)) }

// setLink changes attributes of one link.
func (ns *Namespace) setLink(index int, attributes ...nl.NetlinkRequestData) error {
	return ns.socket.Do(rtnl.ChangeLink(index, attributes...), nil)
}

// claim attaches to an existing device, and never creates one. It leaves the carrier and the flags that netlink reports
// unchanged. stored is the flags that netlink does not report, see StoredFlags. While the descriptor is open, no other
// program can attach to a single-queue device.
func (ns *Namespace) claim(d *Device, stored uint16) (fd int, err error) {
	flags := d.flags() | stored
	fd, err = ns.Attach(d, flags)
	if cause.Gone(err) {
		// If the tap kept a program's packet filter, TUNSETIFF without this bit (IFF_NOFILTER) succeeds but does not
		// attach.
		fd, err = ns.Attach(d, flags|unix.IFF_NO_PI)
	}
	return fd, err
}

// Attach attaches to this device, and never creates one. From Linux 6.1 on, it leaves the carrier unchanged.
func (ns *Namespace) Attach(d *Device, flags uint16) (int, error) {
	fd, err := ns.openDriver()
	if err != nil {
		return -1, err
	}
	quiet, err := ns.approach(fd, d)
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	if quiet {
		flags |= unix.IFF_NO_CARRIER
	}
	return ns.enter(fd, d, flags)
}

// approach prepares the attachment of a descriptor to this device, and reports whether the driver knows IFF_NO_CARRIER.
func (ns *Namespace) approach(fd int, d *Device) (quiet bool, err error) {
	if quiet, err = ns.knowsNoCarrier(fd); err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TUNSETIFINDEX, indexTaken)
	}
	if err == nil {
		err = ns.hear()
	}
	if err != nil {
		return false, &cause.Error{Device: d.Name, What: "attach", Err: err}
	}
	switch index, err := ns.index(d.Name); {
	case err != nil && !cause.Gone(err):
		return false, Unread(d.Name, err)
	case err != nil, index != d.Index:
		return false, cause.Vanished(d.Name)
	}
	return quiet, nil
}

// enter attaches a descriptor, after approach, to the device that has the name, and returns an error unless it is this
// device. It closes the descriptor on an error.
func (ns *Namespace) enter(fd int, d *Device, flags uint16) (int, error) {
	index := 0
	err := ns.setFreeInterface(fd, d, flags)
	if err == nil {
		if _, index, err = ns.Identify(fd); err == nil && index == d.Index {
			return fd, nil
		}
		if err != nil && !cause.Gone(err) {
			err = Unread(d.Name, err)
		} else {
			err = cause.Vanished(d.Name) // it was deleted or renamed, or claim has to try again
		}
	}
	unix.Close(fd)
	if index != 0 { // another device has the name by now
		if failed := ns.returnFlags(index, flags); failed != nil {
			err = &cause.Error{Device: d.Name, What: "restore the flags of another device with this name", Err: failed}
		}
	}
	return -1, err
}

// setFreeInterface attaches to the device. It retries EBUSY if no program uses the device: a program that reads
// another's descriptor in /proc holds it for a moment, even after it was closed.
func (ns *Namespace) setFreeInterface(fd int, d *Device, flags uint16) (err error) {
	const tries = 10
	for range tries {
		if err = driver.SetInterface(fd, d.Name, flags); err == nil {
			return nil
		}
		err = ns.explainAttach(d, err)
		if e := new(cause.Error); !errors.As(err, &e) || !e.Released {
			break
		}
	}
	return err
}

// Identify returns the name and the index of a descriptor's device. The kernel reports an index by name only, and the
// name may pass to another device in between. So Identify requires the same name before and after.
func (ns *Namespace) Identify(fd int) (name string, index int, err error) {
	const tries = 10
	for range tries {
		if name, _, err = driver.Interface(fd); err != nil {
			return "", 0, err
		}
		if index, err = ns.index(name); err != nil && !errors.Is(err, unix.ENODEV) {
			return "", 0, err
		}
		again, _, lost := driver.Interface(fd)
		if lost != nil {
			return "", 0, lost
		}
		if err == nil && again == name {
			return name, index, nil
		}
	}
	return "", 0, cmp.Or(err, error(unix.EAGAIN))
}

// Claim attaches to an existing device, and keeps all its flags except one, which requires CAP_NET_ADMIN in the initial
// user namespace.
func (ns *Namespace) Claim(d *Device) (fd int, err error) {
	return ns.claim(d, ns.StoredFlags(d)&^driver.FlagNAPIFrags)
}

// StoredFlags returns the flags of a device that netlink does not report. They mean nothing while no program is
// attached, but attaching without them would change what ip tuntap shows. Without a sysfs of this network namespace it
// returns 0.
func (ns *Namespace) StoredFlags(d *Device) uint16 { return ns.sysfs.Flags(d.Name, d.Index) }

// Flags returns all flags of TUNSETIFF that a device has.
func (ns *Namespace) Flags(d *Device) uint16 { return d.flags() | ns.StoredFlags(d) }

// flags returns those that netlink reports.
func (d *Device) flags() uint16 {
	return driver.Flags{Mode: d.Mode, PI: d.PI, VnetHdr: d.VnetHdr, MultiQueue: d.MultiQueue}.Bits()
}

// withClaim claims a device, runs use with the descriptor, and releases the device. Its IPv6 stays as it is.
func (ns *Namespace) withClaim(d *Device, use func(fd int) error) (err error) {
	restore, err := ns.withoutLinkLocal(d.Index)
	if err != nil {
		return err
	}
	defer func() {
		if failed := restore(); err == nil {
			err = failed
		}
	}()
	fd, err := ns.Claim(d)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return use(fd)
}

// changeAccess runs an access step.
func (ns *Namespace) changeAccess(s *task) error {
	set := func(fd int) error { return users.SetAccess(fd, *s.access, s.old.Access) }
	if s.hold != nil {
		return set(s.hold.fd)
	}
	return ns.withClaim(s.old, set)
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
