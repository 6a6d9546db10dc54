package attach

import (
	"errors"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/netcfg"
	"golang.org/x/sys/unix"
)

// restoreTries is how many times PutBack and awaitRelease try.
const restoreTries = 3

// Traces are the settings that attaching to a device changes and that the device keeps after the program ends, with
// their values before.
type Traces struct {
	Name string `json:"-"` // not in JSON, because a name may be any bytes: the caller stores it
	stored
}

// stored are the Traces that JSON holds.
type stored struct {
	Index     int    `json:"index"`
	Shared    bool   `json:"shared"`    // another program was already attached to the multi-queue device
	Flags     uint16 `json:"flags"`     // the flags of TUNSETIFF
	Header    int    `json:"header"`    // length of the virtio header in bytes; 0: not changed
	Offload   uint   `json:"offload"`   // the bits of TUNSETOFFLOAD
	Untouched bool   `json:"untouched"` // no program has set the offload yet, and it is off
	IPv6      bool   `json:"ipv6"`      // the kernel has configured IPv6, which it does when the carrier first comes on
	AddrGen   *uint8 `json:"addr_gen"`  // see ip link set addrgenmode; nil: the device has no IPv6
}

// traces returns the traces of a device that was just observed. Flags in sysfs and offloads that cannot be read count
// as those of a new device.
func traces(ns *netcfg.Namespace, d *netcfg.Device) (t Traces, err error) {
	t = Traces{d.Name, stored{Index: d.Index, Shared: d.InUse(), Flags: ns.Flags(d)}}
	if t.IPv6, err = rtnl.HasMulticastRoute(ns.Socket(), d.Index); err != nil {
		return Traces{}, netcfg.Unread(d.Name, err)
	}
	mode, known, err := ns.AddressMode(d.Index)
	if err != nil {
		return Traces{}, netcfg.Unread(d.Name, err)
	}
	if known {
		t.AddrGen = &mode
	}
	t.Offload, t.Untouched = driver.Offload(ns.Socket().FD(), d.Name)
	return t, nil
}

// setOffload sets the offload of an attached device. It does nothing if no program has set an offload yet and bits is
// 0.
func (t *Traces) setOffload(fd int, bits uint) error {
	if bits == 0 && t.Untouched {
		return nil
	}
	return unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, int(bits))
}

// PutBack restores a device after the program that attached to it has closed its queues. It leaves a device alone if
// the device is gone, or if another program is attached, which has set its own flags. The kernel's link-local address
// stays if this user may not disable IPv6. PutBack retries after an error. The error is a [*cause.Error].
func PutBack(ns *netcfg.Namespace, t Traces) (err error) {
	for range restoreTries {
		if err = putBack(ns, t); err == nil {
			return nil
		}
	}
	return &cause.Error{Device: t.Name, What: "it could not be restored", Err: err}
}

func putBack(ns *netcfg.Namespace, t Traces) error {
	d, err := ns.Device(t.Index)
	if err != nil {
		return netcfg.Unread(t.Name, err)
	}
	if d == nil || d.Kind != "tun" {
		return nil
	}
	if d.InUse() && !t.Shared && !awaitRelease(ns, d) {
		return nil
	}
	err = putBackQueue(ns, d, t)
	if t.Shared || !surroundings.MayConfigure() {
		return err
	}
	return errors.Join(err, putBackIPv6(ns, d, t))
}

// awaitRelease reports whether no program uses the device. Another program that examines descriptors in /proc holds a
// queue for a moment after it was closed.
func awaitRelease(ns *netcfg.Namespace, d *netcfg.Device) bool {
	for range restoreTries {
		if ns.Busy(d).Released {
			return true
		}
	}
	return false
}

// putBackQueue restores the settings that only an attached program can set. It returns an error for a device that is
// gone, or that was renamed: the caller looks again.
func putBackQueue(ns *netcfg.Namespace, d *netcfg.Device, t Traces) error {
	bits, _ := driver.Offload(ns.Socket().FD(), d.Name)
	header := t.Header != 0 && t.Header != driver.HeaderUsual
	if ns.Flags(d) == t.Flags && bits == t.Offload && !header {
		return nil
	}
	fd, err := ns.Attach(d, t.Flags)
	// this flag requires CAP_NET_ADMIN in the initial user namespace
	if errors.Is(err, unix.EPERM) && t.Flags&driver.FlagNAPIFrags != 0 {
		fd, err = ns.Attach(d, t.Flags&^driver.FlagNAPIFrags)
	}
	switch {
	case cause.Of(err) == cause.InUse: // another program has attached
		return nil
	case err != nil:
		return err
	}
	defer unix.Close(fd)
	if header {
		if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, t.Header); err != nil {
			return &cause.Error{Device: d.Name, What: "length of the virtio header", Err: err}
		}
	}
	if bits == t.Offload {
		return nil
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, int(t.Offload)); err != nil {
		return &cause.Error{Device: d.Name, What: "offload", Err: err}
	}
	return nil
}
