package netcfg

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Traces are what attaching to a device changes and the device keeps when the program ends, as they were before.
type Traces struct {
	Name      string `json:"-"` // a name is bytes, which JSON cannot hold: the caller keeps it
	Index     int    `json:"index"`
	Shared    bool   `json:"shared"`    // another program was attached already, to a multi-queue device
	Flags     uint16 `json:"flags"`     // of TUNSETIFF
	Header    int    `json:"header"`    // length of the virtio header in bytes; 0: not changed
	Offload   uint   `json:"offload"`   // the bits of TUNSETOFFLOAD
	Untouched bool   `json:"untouched"` // no program has set the offload yet, and it is off
	IPv6      bool   `json:"ipv6"`      // the kernel has configured IPv6, which it does with the first carrier
	AddrGen   *uint8 `json:"addr_gen"`  // how the kernel generates them (ip link set addrgenmode); nil: there is no IPv6
}

// traces reads them of a device that was just observed. Its flags in sysfs and its offload are as on a new device if
// they cannot be read.
func (ns *Namespace) traces(d *Device) (t Traces, err error) {
	failed := func(err error) (Traces, error) {
		return Traces{}, &Error{Device: d.Name, What: "look at the device", Err: err}
	}
	t = Traces{Name: d.Name, Index: d.Index, Shared: d.InUse(), Flags: d.flags() | ns.StoredFlags(d)}
	if t.IPv6, err = ns.multicastRoute(d.Index); err != nil {
		return failed(err)
	}
	mode, known, err := ns.addressMode(d.Index)
	if err != nil {
		return failed(err)
	}
	if known {
		t.AddrGen = &mode
	}
	t.Offload, t.Untouched = ns.offload(d.Name)
	return t, nil
}

// flags are those of TUNSETIFF that netlink tells.
func (d *Device) flags() uint16 {
	flags := uint16(d.Mode)
	if !d.PI {
		flags |= unix.IFF_NO_PI
	}
	if d.VnetHdr {
		flags |= unix.IFF_VNET_HDR
	}
	if d.MultiQueue {
		flags |= unix.IFF_MULTI_QUEUE
	}
	return flags
}

// setOffload sets the offload of an attached device. One that no program has set yet stays as it is if it is to be off.
func (t *Traces) setOffload(fd int, bits uint) error {
	if bits == 0 && t.Untouched {
		return nil
	}
	return unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, int(bits))
}

// PutBack restores a device after the program that attached to it has closed its queues. A device that is gone, or to which another program is
// attached by then, which has set its own flags, is left alone. The kernel's link-local address stays where this user may not turn off IPv6.
// It tries again if it fails. The error is an [*Error].
func (ns *Namespace) PutBack(t Traces) (err error) {
	for range rounds {
		if err = ns.putBack(t); err == nil {
			return nil
		}
	}
	return &Error{Device: t.Name, What: "it could not be restored", Err: err}
}

func (ns *Namespace) putBack(t Traces) error {
	found, err := ns.observe([]target{{name: t.Name, index: t.Index}}, shallow, false)
	if err != nil {
		return &Error{Device: t.Name, What: "look at it again", Err: err}
	}
	d := found[0]
	if d == nil || d.Kind != "tun" || d.InUse() && !t.Shared {
		return nil
	}
	err = ns.putBackQueue(d, t)
	if t.Shared || !mayConfigure() {
		return err
	}
	return errors.Join(err, ns.putBackIPv6(d, t))
}

// putBackQueue restores what only a program that is attached can set.
func (ns *Namespace) putBackQueue(d *Device, t Traces) error {
	bits, _ := ns.offload(d.Name)
	header := t.Header != 0 && t.Header != vnetHeader
	if d.flags()|ns.StoredFlags(d) == t.Flags && bits == t.Offload && !header {
		return nil
	}
	fd, err := ns.attach(d, t.Flags)
	if errors.Is(err, unix.EPERM) && t.Flags&FlagNAPIFrags != 0 { // only programs with rights on the whole machine may ask for that
		fd, err = ns.attach(d, t.Flags&^FlagNAPIFrags)
	}
	switch e := new(Error); {
	case Gone(err), errors.As(err, &e) && e.Cause == InUse: // another program was faster, or it is gone
		return nil
	case err != nil:
		return err
	}
	defer unix.Close(fd)
	if header {
		if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, t.Header); err != nil {
			return &Error{Device: d.Name, What: "length of the virtio header", Err: err}
		}
	}
	if bits == t.Offload {
		return nil
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, int(t.Offload)); err != nil {
		return &Error{Device: d.Name, What: "offload", Err: err}
	}
	return nil
}
