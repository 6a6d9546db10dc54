package netcfg

import (
	"errors"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/surroundings"
	"golang.org/x/sys/unix"
)

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
func (ns *Namespace) traces(d *Device) (t Traces, err error) {
	t = Traces{d.Name, stored{Index: d.Index, Shared: d.InUse(), Flags: d.flags() | ns.StoredFlags(d)}}
	if t.IPv6, err = rtnl.HasMulticastRoute(ns.socket, d.Index); err != nil {
		return Traces{}, unread(d.Name, err)
	}
	mode, known, err := ns.addressMode(d.Index)
	if err != nil {
		return Traces{}, unread(d.Name, err)
	}
	if known {
		t.AddrGen = &mode
	}
	t.Offload, t.Untouched = driver.Offload(ns.socket.FD(), d.Name)
	return t, nil
}

// StoredFlags returns the flags of a device that netlink does not report. They mean nothing while no program is
// attached, but attaching without them would change what ip tuntap shows. Without a sysfs of this network namespace it
// returns 0.
func (ns *Namespace) StoredFlags(d *Device) uint16 { return ns.sysfs.Flags(d.Name, d.Index) }

// flags returns the flags of TUNSETIFF that netlink reports.
func (d *Device) flags() uint16 {
	return driver.Flags{Mode: d.Mode, PI: d.PI, VnetHdr: d.VnetHdr, MultiQueue: d.MultiQueue}.Bits()
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
func (ns *Namespace) PutBack(t Traces) (err error) {
	for range rounds {
		if err = ns.putBack(t); err == nil {
			return nil
		}
	}
	return &cause.Error{Device: t.Name, What: "it could not be restored", Err: err}
}

func (ns *Namespace) putBack(t Traces) error {
	found, err := ns.observe([]target{{name: t.Name, index: t.Index}}, shallow, false)
	if err != nil {
		return unread(t.Name, err)
	}
	d := found[0]
	if d == nil || d.Kind != "tun" {
		return nil
	}
	if d.InUse() && !t.Shared && !ns.awaitRelease(d) {
		return nil
	}
	err = ns.putBackQueue(d, t)
	if t.Shared || !surroundings.MayConfigure() {
		return err
	}
	return errors.Join(err, ns.putBackIPv6(d, t))
}

// awaitRelease reports whether no program uses the device. Another program that examines descriptors in /proc holds a
// queue for a moment after it was closed.
func (ns *Namespace) awaitRelease(d *Device) bool {
	for range rounds {
		if ns.busy(d).Released {
			return true
		}
	}
	return false
}

// putBackQueue restores the settings that only an attached program can set. It returns an error for a device that is
// gone, or that was renamed: the caller looks again.
func (ns *Namespace) putBackQueue(d *Device, t Traces) error {
	bits, _ := driver.Offload(ns.socket.FD(), d.Name)
	header := t.Header != 0 && t.Header != vnetHeader
	if d.flags()|ns.StoredFlags(d) == t.Flags && bits == t.Offload && !header {
		return nil
	}
	fd, err := ns.attach(d, t.Flags)
	// this flag requires CAP_NET_ADMIN in the initial user namespace
	if errors.Is(err, unix.EPERM) && t.Flags&driver.FlagNAPIFrags != 0 {
		fd, err = ns.attach(d, t.Flags&^driver.FlagNAPIFrags)
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
