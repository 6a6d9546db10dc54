package netcfg

import (
	"errors"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// withoutLinkLocal prevents the kernel from adding a link-local IPv6 address until restore is called, which must be
// after the descriptor is closed. Before Linux 6.1, each attachment turns on the carrier. The kernel then adds this
// address and its route to a device that is up, and keeps both. An owner without CAP_NET_ADMIN cannot prevent this. If
// this process is killed, a guardian restores the mode.
func (ns *Namespace) withoutLinkLocal(index int) (restore func() error, err error) {
	nothing := func() error { return nil }
	if quiet, err := ns.canAttachWithoutCarrier(); quiet || err != nil {
		return nothing, err
	}
	mode, known, err := ns.AddressMode(index)
	if err != nil || !known || mode == nl.IN6_ADDR_GEN_MODE_NONE {
		return nothing, err
	}
	dismiss := guard.Start(ns.socket.FD(), rtnl.ChangeAddressMode(index, mode).Serialize())
	if err := ns.SetAddressMode(index, nl.IN6_ADDR_GEN_MODE_NONE); err != nil {
		dismiss()
		if errors.Is(err, unix.EPERM) {
			err = nil
		}
		return nothing, err
	}
	return func() error {
		defer dismiss()
		return ns.SetAddressMode(index, mode)
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

// AddressMode returns how the kernel makes link-local addresses for a device; known is false if the device has no IPv6.
func (ns *Namespace) AddressMode(index int) (mode uint8, known bool, err error) {
	ask := rtnl.AskLink(unix.NLM_F_ACK, index, "", false)
	err = ns.socket.Do(ask, func(body []byte) { mode, known = rtnl.AddressMode(body) })
	if err != nil {
		return 0, false, Unread("", err)
	}
	return mode, known, nil
}

// SetAddressMode sets how the kernel makes link-local addresses for a device.
func (ns *Namespace) SetAddressMode(index int, mode uint8) error {
	if err := ns.socket.Do(rtnl.ChangeAddressMode(index, mode), nil); err != nil {
		return &cause.Error{What: "set how IPv6 addresses are generated", Err: err}
	}
	return nil
}
