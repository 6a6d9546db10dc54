package netcfg

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// TUNSETIFF finds a device by its name, and sets the flags of the device at once. If another device takes the name
// between the last look and this call, that device gets the flags. The kernel does not report the previous flags
// afterwards, but it has announced them: when the device got the name.

// hear listens to the announcements of links from now on. It forgets the earlier ones.
func (ns *Namespace) hear() (err error) {
	if ns.announcements == nil {
		ns.announcements, err = rtnl.Subscribe(rtnl.AnnouncementsSize, unix.RTNLGRP_LINK)
		return err
	}
	return ns.heard(func(*Device) {})
}

// heard calls each for every device that was announced since the last call of hear.
func (ns *Namespace) heard(each func(*Device)) error {
	return ns.announcements.ReceiveWaiting(func(h unix.NlMsghdr, body []byte) {
		if d := decodeLink(body); d != nil && h.Type == unix.RTM_NEWLINK {
			each(d)
		}
	})
}

// returnFlags restores the flags of a device that an attachment with these flags has met by mistake. It cannot restore
// the flags that netlink does not report, see StoredFlags.
func (ns *Namespace) returnFlags(index int, flags uint16) error {
	const reported = unix.IFF_NO_PI | unix.IFF_VNET_HDR
	var was *Device
	err := ns.heard(func(d *Device) {
		if d.Index == index && d.Kind == "tun" && (d.flags()^flags)&reported != 0 {
			was = d
		}
	})
	if err != nil || was == nil {
		return err
	}
	fd, err := ns.claim(was, 0)
	if err == nil {
		unix.Close(fd)
	}
	if cause.Gone(err) || errors.Is(err, errBusy) {
		return nil // a program that attaches sets the flags that it needs
	}
	return err
}
