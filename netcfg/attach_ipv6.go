package netcfg

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/sysctl"
)

// putBackIPv6 undoes what the kernel did when the carrier first came on: it added a link-local address and its routes,
// and changed how it generates such addresses. Removing only the address is not enough: the kernel would not add it
// again for the next program. So putBackIPv6 restarts IPv6, but only on a device with no other IPv6 state.
func (ns *Namespace) putBackIPv6(d *Device, t Traces) error {
	if t.IPv6 || !d.Up {
		return nil
	}
	switch configured, err := rtnl.HasMulticastRoute(ns.socket, d.Index); {
	case err != nil:
		return unread(d.Name, err)
	case !configured:
		return ns.putBackAddressMode(d, t)
	}
	// As long as the kernel considers the device running, it would configure IPv6 again at once.
	quiet, err := ns.await(context.Background(), d.Index, false, 2*time.Second)
	if err != nil {
		return err
	}
	found, err := ns.observe([]target{{name: d.Name, index: d.Index}}, deep, false)
	if err != nil {
		return unread(d.Name, err)
	}
	d = found[0]
	switch {
	case d == nil || d.Kind != "tun" || d.ipv6() != "" || !d.linkLocalFromKernel(),
		d.InUse() && !ns.awaitRelease(d):
		return nil
	case !quiet:
		return &cause.Error{Device: d.Name, What: "IPv6",
			Detail: "the kernel has not noticed that no program is attached"}
	}
	if err := ns.restartIPv6(d); err != nil {
		return &cause.Error{Device: d.Name, What: "IPv6", Err: err}
	}
	return ns.putBackAddressMode(d, t)
}

// putBackAddressMode restores how the kernel generates link-local addresses, unless the device has one.
func (ns *Namespace) putBackAddressMode(d *Device, t Traces) error {
	configured, err := rtnl.HasMulticastRoute(ns.socket, d.Index)
	if err != nil || configured || t.AddrGen == nil {
		return err
	}
	mode, known, err := ns.addressMode(d.Index)
	if err != nil || !known || mode == *t.AddrGen {
		return err
	}
	if err := ns.setAddressMode(d.Index, *t.AddrGen); !errors.Is(err, unix.ENODEV) {
		return err
	}
	return nil
}

// restartIPv6 turns IPv6 of a device off and on. It does nothing if this user or the kernel does not allow it.
func (ns *Namespace) restartIPv6(d *Device) error {
	file, err := files.Open("/proc/sys/net/ipv6/conf/"+d.Name+"/disable_ipv6", os.O_WRONLY, 0)
	for _, usual := range []error{fs.ErrNotExist, fs.ErrPermission, unix.EROFS} {
		if errors.Is(err, usual) {
			return nil
		}
	}
	if err != nil {
		return err
	}
	defer file.Close()
	// An open file stops working if its device is renamed. So the file belongs to the device if the name still does.
	if err := ns.meant(&task{Step: Step{Device: d.Name, Index: d.Index, old: d}}); err != nil {
		return err
	}
	lock, err := rtnl.Open(unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer lock.Close()
	const tries = 16
	for range tries {
		err = sysctl.Restart(int(file.Fd()), lock.FD(), rtnl.ChangeLink(d.Index).Serialize())
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	return err
}

// linkLocalFromKernel reports whether the kernel added all link-local addresses of the device, as far as it records
// that.
func (d *Device) linkLocalFromKernel() bool {
	return !slices.ContainsFunc(d.Addresses, func(a Address) bool {
		return a.Local.Is6() && a.Local.IsLinkLocalUnicast() && a.kept.origin != 0 &&
			a.kept.origin != rtnl.OriginKernelLinkLocal
	})
}

// withoutLinkLocal prevents the kernel from adding a link-local IPv6 address until restore is called, which must be
// after the descriptor is closed. Before Linux 6.1, each attachment turns on the carrier. The kernel then adds this
// address and its route to a device that is up, and keeps both. An owner without CAP_NET_ADMIN cannot prevent this. If
// this process is killed, a guardian restores the mode.
func (ns *Namespace) withoutLinkLocal(index int) (restore func() error, err error) {
	nothing := func() error { return nil }
	if quiet, err := ns.canAttachWithoutCarrier(); quiet || err != nil {
		return nothing, err
	}
	mode, known, err := ns.addressMode(index)
	if err != nil || !known || mode == nl.IN6_ADDR_GEN_MODE_NONE {
		return nothing, err
	}
	dismiss := guard.Start(ns.socket.FD(), rtnl.ChangeAddressMode(index, mode).Serialize())
	if err := ns.setAddressMode(index, nl.IN6_ADDR_GEN_MODE_NONE); err != nil {
		dismiss()
		if errors.Is(err, unix.EPERM) {
			err = nil
		}
		return nothing, err
	}
	return func() error {
		defer dismiss()
		return ns.setAddressMode(index, mode)
	}, nil
}

// canAttachWithoutCarrier reports whether the driver knows IFF_NO_CARRIER (Linux 6.1).
func (ns *Namespace) canAttachWithoutCarrier() (bool, error) {
	fd, err := ns.openDriver()
	if err != nil {
		return true, nil // the attachment itself reports this error
	}
	defer unix.Close(fd)
	return ns.knowsNoCarrier(fd)
}

// knowsNoCarrier reports whether the driver of this descriptor knows IFF_NO_CARRIER.
func (ns *Namespace) knowsNoCarrier(fd int) (bool, error) {
	known, err := driver.KnowsNoCarrier(fd)
	return known && ns.features&noCarrier != 0, err
}

// addressMode returns how the kernel makes link-local addresses for a device; known is false if the device has no IPv6.
func (ns *Namespace) addressMode(index int) (mode uint8, known bool, err error) {
	ask := rtnl.AskLink(unix.NLM_F_ACK, index, "", false)
	err = ns.socket.Do(ask, func(body []byte) { mode, known = rtnl.AddressMode(body) })
	if err != nil {
		return 0, false, unread("", err)
	}
	return mode, known, nil
}

func (ns *Namespace) setAddressMode(index int, mode uint8) error {
	if err := ns.socket.Do(rtnl.ChangeAddressMode(index, mode), nil); err != nil {
		return &cause.Error{What: "set how IPv6 addresses are generated", Err: err}
	}
	return nil
}
