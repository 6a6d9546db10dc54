package netcfg

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
)

// Traces are what attaching to a device changes and the device keeps when the program ends, as they were before.
type Traces struct {
	Name      Text   `json:"name"`
	Index     int    `json:"index"`
	Shared    bool   `json:"shared"`    // another program was attached already, to a multi-queue device
	Flags     uint16 `json:"flags"`     // of TUNSETIFF
	Header    int    `json:"header"`    // length of the virtio header in bytes; 0: not changed
	Offload   uint   `json:"offload"`   // the bits of TUNSETOFFLOAD
	Untouched bool   `json:"untouched"` // no program has set the offload yet, and it is off
	IPv6      bool   `json:"ipv6"`      // the kernel has configured IPv6, which it does with the first carrier
	AddrGen   *uint8 `json:"addr_gen"`  // how the kernel generates them (ip link set addrgenmode); nil: there is no IPv6
}

// traces reads them of a device that was just observed. What cannot be read is as on a new device.
func (ns *Namespace) traces(d *Device) Traces {
	t := Traces{Name: Text(d.Name), Index: d.Index, Shared: d.InUse(), Flags: d.flags() | ns.StoredFlags(d), IPv6: ns.multicastRoute(d.Index), AddrGen: ns.addrGen(d.Index)}
	t.Offload, t.Untouched = ns.offload(d.Name)
	return t
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
// The error is an [*Error].
func (ns *Namespace) PutBack(t Traces) error {
	found, err := ns.observe([]target{{name: string(t.Name), index: t.Index}}, shallow, false)
	if err != nil {
		return &Error{Device: string(t.Name), What: "look at it again", Err: err}
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
	header := t.Header != 0 && t.Header != VnetHeader
	if d.flags()|ns.StoredFlags(d) == t.Flags && bits == t.Offload && !header {
		return nil
	}
	fd, err := ns.attach(d, t.Flags)
	if errors.Is(err, unix.EPERM) && t.Flags&FlagNAPIFrags != 0 { // only programs with rights on the whole machine may ask for that
		fd, err = ns.attach(d, t.Flags&^FlagNAPIFrags)
	}
	switch e := new(Error); {
	case errors.As(err, &e) && (e.Cause == InUse || e.Cause == NoDevice): // another program was faster, or it is gone
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

// putBackIPv6 takes back what the kernel did with the first carrier: a link-local address, its routes, and how it generates such addresses. The
// address alone must not go: the kernel would not add it again for the next program. So IPv6 is turned off and on, and only where the device has
// nothing else of IPv6.
func (ns *Namespace) putBackIPv6(d *Device, t Traces) error {
	if t.IPv6 || !d.Up || !ns.multicastRoute(d.Index) {
		return nil
	}
	// As long as the kernel takes the device for running, IPv6 would be configured again at once.
	if quiet, err := ns.await(context.Background(), d.Index, false, 2*time.Second); err != nil || !quiet {
		return err
	}
	found, err := ns.observe([]target{{name: d.Name, index: d.Index}}, deep, false)
	if err != nil {
		return &Error{Device: d.Name, What: "look at it again", Err: err}
	}
	if d = found[0]; d == nil || d.InUse() || d.ipv6() != "" || !d.linkLocalFromKernel() {
		return nil
	}
	if ns.switchIPv6(d, "1") != nil { // /proc/sys is not to be written to
		return nil
	}
	for range rounds {
		if err = ns.switchIPv6(d, "0"); err == nil {
			break
		}
	}
	if err != nil {
		return &Error{Device: d.Name, What: "IPv6", Err: err}
	}
	now := ns.addrGen(d.Index)
	if now == nil || t.AddrGen == nil || *now == *t.AddrGen {
		return nil
	}
	inet6 := nl.NewRtAttr(unix.AF_INET6, nil)
	inet6.AddRtAttr(unix.IFLA_INET6_ADDR_GEN_MODE, []byte{*t.AddrGen})
	families := nl.NewRtAttr(unix.IFLA_AF_SPEC, nil)
	families.AddChild(inet6)
	if err := ns.setLink(d.Index, families); err != nil && !errors.Is(err, unix.ENODEV) {
		return &Error{Device: d.Name, What: "addrgenmode", Err: err}
	}
	return nil
}

// switchIPv6 writes to the device's disable_ipv6.
func (ns *Namespace) switchIPv6(d *Device, value string) error {
	f, err := files.Open("/proc/sys/net/ipv6/conf/"+d.Name+"/disable_ipv6", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(value)
	return err
}

// multicastRoute says whether the kernel's own route of IPv6 multicast is on a device.
func (ns *Namespace) multicastRoute(index int) bool {
	ask := rtnl.Request(unix.RTM_GETROUTE, 0, &nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET6}}, nl.NewRtAttr(unix.RTA_TABLE, nl.Uint32Attr(tableLocal)))
	found, _ := rtnl.Dump(ns.socket, ask, func(body []byte) (bool, bool) {
		if len(body) < unix.SizeofRtMsg || body[1] != 8 || routeTable(body) != tableLocal {
			return false, false
		}
		through, multicast := false, false
		for kind, value := range rtnl.Attributes(body[unix.SizeofRtMsg:]) {
			switch {
			case kind == unix.RTA_OIF:
				through = rtnl.Uint32(value) == uint32(index)
			case kind == unix.RTA_DST && len(value) == 16:
				multicast = value[0] == 0xff
			}
		}
		return true, through && multicast
	})
	return len(found) > 0
}

// ifaProto is the attribute that says who added an address, and kernelLinkLocal is the kernel for its own link. Linux 5.18.
const (
	ifaProto        = 11
	kernelLinkLocal = 3
)

// linkLocalFromKernel says whether the kernel added all of the device's link-local addresses, as far as it tells.
func (d *Device) linkLocalFromKernel() bool {
	for _, a := range d.Addresses {
		if !a.Local.Is6() || !a.Local.IsLinkLocalUnicast() || len(a.kept.message) < unix.SizeofIfAddrmsg {
			continue
		}
		for kind, value := range rtnl.Attributes(a.kept.message[unix.SizeofIfAddrmsg:]) {
			if kind == ifaProto && len(value) == 1 && value[0] != kernelLinkLocal {
				return false
			}
		}
	}
	return true
}

// addrGen reads how the kernel generates a device's link-local addresses; nil: there is no IPv6.
func (ns *Namespace) addrGen(index int) (mode *uint8) {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	ask := rtnl.Request(unix.RTM_GETLINK, unix.NLM_F_ACK, msg, nl.NewRtAttr(unix.IFLA_EXT_MASK, nl.Uint32Attr(withoutStats)))
	_ = ns.socket.Exchange([]*nl.NetlinkRequest{ask}, func(_ int, body []byte) {
		if len(body) < unix.SizeofIfInfomsg {
			return
		}
		for kind, families := range rtnl.Attributes(body[unix.SizeofIfInfomsg:]) {
			if kind == unix.IFLA_AF_SPEC {
				mode = decodeAddrGen(families)
			}
		}
	})
	return mode
}

func decodeAddrGen(families []byte) *uint8 {
	for family, settings := range rtnl.Attributes(families) {
		if family != unix.AF_INET6 {
			continue
		}
		for kind, value := range rtnl.Attributes(settings) {
			if kind == unix.IFLA_INET6_ADDR_GEN_MODE && len(value) == 1 {
				mode := value[0]
				return &mode
			}
		}
	}
	return nil
}
