package attach

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/sysctl"
	"github.com/tunadm/tunadm/netcfg"
)

// putBackIPv6 undoes what the kernel did when the carrier first came on: it added a link-local address and its routes,
// and changed how it generates such addresses. Removing only the address is not enough: the kernel would not add it
// again for the next program. So putBackIPv6 restarts IPv6, but only on a device with no other IPv6 state.
func putBackIPv6(ns *netcfg.Namespace, d *netcfg.Device, t Traces) error {
	if t.IPv6 || !d.Up {
		return nil
	}
	switch configured, err := rtnl.HasMulticastRoute(ns.Socket(), d.Index); {
	case err != nil:
		return netcfg.Unread(d.Name, err)
	case !configured:
		return putBackAddressMode(ns, d, t)
	}
	// As long as the kernel considers the device running, it would configure IPv6 again at once.
	quiet, err := await(context.Background(), ns, d.Index, false, 2*time.Second)
	if err != nil {
		return err
	}
	now, err := ns.Device(d.Index)
	if err == nil && now != nil {
		now.Routes, err = ns.RoutesThrough(d.Index)
	}
	if err != nil {
		return netcfg.Unread(d.Name, err)
	}
	switch d = now; {
	case d == nil || d.Kind != "tun" || d.OtherIPv6(), d.InUse() && !awaitRelease(ns, d):
		return nil
	case !quiet:
		return &cause.Error{Device: d.Name, What: "IPv6",
			Detail: "the kernel has not noticed that no program is attached"}
	}
	if err := restartIPv6(ns, d); err != nil {
		return &cause.Error{Device: d.Name, What: "IPv6", Err: err}
	}
	return putBackAddressMode(ns, d, t)
}

// putBackAddressMode restores how the kernel generates link-local addresses, unless the device has one.
func putBackAddressMode(ns *netcfg.Namespace, d *netcfg.Device, t Traces) error {
	configured, err := rtnl.HasMulticastRoute(ns.Socket(), d.Index)
	if err != nil || configured || t.AddrGen == nil {
		return err
	}
	mode, known, err := ns.AddressMode(d.Index)
	if err != nil || !known || mode == *t.AddrGen {
		return err
	}
	if err := ns.SetAddressMode(d.Index, *t.AddrGen); !errors.Is(err, unix.ENODEV) {
		return err
	}
	return nil
}

// restartIPv6 turns IPv6 of a device off and on. It does nothing if this user or the kernel does not allow it.
func restartIPv6(ns *netcfg.Namespace, d *netcfg.Device) error {
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
	now, err := ns.Counters(d.Name)
	if err != nil {
		return err
	}
	if now[0] == nil || now[0].Name != d.Name || now[0].Index != d.Index || now[0].Kind != d.Kind {
		return cause.Vanished(d.Name)
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
