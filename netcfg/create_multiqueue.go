package netcfg

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Until a multi-queue device has its owner, every user who knows its name may attach to it and change its persistent
// settings. The kernel announces each new device to every user, so no name is secret for long.

// createHidden creates a multi-queue device under a random name, and renames it only if no other program attached in
// the meantime. If one did, createHidden creates the next device in a separate network namespace, which no other
// program can enter. That is not the first choice, because the kernel takes some 20 ms to move a device. Without the
// right to create a namespace, createHidden retries a few times.
func (ns *Namespace) createHidden(s *Step) (*newDevice, error) {
	const tries = 10
	for range tries {
		made, err := ns.make(s, secretName(), 0)
		if err != nil {
			return nil, err
		}
		equipped := made.equip(s)
		touched, err := ns.touched(made, s.create)
		if err = errors.Join(equipped, err); err == nil && touched == "" {
			if err = ns.reveal(made, s.Device); err == nil {
				return made, nil
			}
		}
		if touched == "" {
			ns.abandon(made)
			return nil, err
		}
		apart, err := ns.createApart(s, made.index)
		ns.abandon(made)
		if apart != nil || err != nil {
			return apart, err
		}
	}
	detail := fmt.Sprintf("another program attached before the device had its owner, %d times", tries)
	return nil, &cause.Error{Device: s.Device, Detail: detail, Fix: fix.Sentence("run it as root")}
}

// abandon deletes a new device, even if another program has attached to it.
func (ns *Namespace) abandon(made *newDevice) {
	_ = ns.deleteLink(made.index) // if it fails, the device vanishes with its last descriptor
	unix.Close(made.fd)
}

// reveal renames a device to its final name.
func (ns *Namespace) reveal(made *newDevice, name string) error {
	if err := ns.setLink(made.index, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(name))); err != nil {
		return ns.explainCreate(name, err)
	}
	return ns.identifyAgain(made)
}

// identifyAgain reads the present name and index of a device.
func (ns *Namespace) identifyAgain(made *newDevice) (err error) {
	if made.name, made.index, err = ns.Identify(made.fd); err != nil {
		return Unread(made.name, err)
	}
	return nil
}

// touched returns the first property of a device that differs from its creation, or "". The device has its owner by
// now, so no other user can attach any more. A user who attached before shows as a queue, or by the changes. Settings
// that the kernel does not report are reset to those of a new device.
func (ns *Namespace) touched(made *newDevice, s *Spec) (string, error) {
	var d *Device
	var linkType uint16
	ask := rtnl.AskLink(unix.NLM_F_ACK, made.index, "", false)
	err := ns.socket.Do(ask, func(body []byte) {
		if d = decodeLink(body); d != nil {
			linkType = rtnl.Uint16(body[2:]) // ifi_type
		}
	})
	if err != nil || d == nil {
		return "", cmp.Or[error](err, cause.Vanished(made.name))
	}
	_, flags, err := driver.Interface(made.fd)
	if err != nil {
		return "", Unread(made.name, err)
	}
	usual := uint16(unix.ARPHRD_ETHER)
	if s.Mode == link.TUN {
		usual = unix.ARPHRD_NONE
	}
	for _, c := range []struct {
		what    string
		differs bool
	}{
		{"queues", d.Queues != 1 || d.DisabledQueues != 0},
		{"owner", !d.Access.Same(*s.Access)},
		{"flags", flags != s.flags()},
		{"link type", linkType != usual},
		{"mac", s.MAC != nil && !slices.Equal(s.MAC, d.MAC) || s.MAC == nil && ns.sysfs.GivenMAC(d.Name)},
		{"offload", driver.SendsOffloads(ns.socket.FD(), d.Name)},
		{"header size", driver.HeaderSize(made.fd) != driver.HeaderUsual},
	} {
		if c.differs {
			return c.what, nil
		}
	}
	return "", driver.Renew(made.fd, s.Mode == link.TAP)
}

// createApart creates a device in a separate network namespace, and moves it to its own once it has its owner. taken is
// the index of another device there, which makes the kernel number the new device as usual. It returns nil if such a
// namespace cannot be created.
func (ns *Namespace) createApart(s *Step, taken int) (*newDevice, error) {
	here, err := unix.IoctlRetInt(ns.socket.FD(), unix.SIOCGSKNS)
	if err != nil {
		return nil, nil
	}
	defer unix.Close(here)
	type outcome struct {
		made *newDevice
		err  error
	}
	done := make(chan outcome)
	go func() {
		runtime.LockOSThread() // without an unlock: the thread ends with the goroutine
		var o outcome
		if unix.Unshare(unix.CLONE_NEWNET) == nil {
			o.made, o.err = ns.makeIn(s, here, taken)
		}
		done <- o
	}()
	o := <-done
	if o.made == nil || o.err != nil {
		return nil, o.err
	}
	if err := ns.identifyAgain(o.made); err != nil {
		unix.Close(o.made.fd)
		return nil, err
	}
	return o.made, nil
}

// makeIn creates a device in the thread's network namespace, and moves it to another.
func (ns *Namespace) makeIn(s *Step, target, index int) (made *newDevice, err error) {
	apart, err := rtnl.Open(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	defer apart.Close()
	if made, err = (&Namespace{socket: apart, node: ns.node, features: ns.features}).make(
		s, secretName(), index); err != nil {
		return nil, err
	}
	if err = made.equip(s); err == nil {
		move := rtnl.ChangeLink(made.index, nl.NewRtAttr(unix.IFLA_NET_NS_FD, nl.Uint32Attr(uint32(target))),
			nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(s.Device)))
		if err = apart.Do(move, nil); err != nil {
			err = ns.explainCreate(s.Device, err)
		}
	}
	if err != nil {
		unix.Close(made.fd)
		return nil, err
	}
	return made, nil
}

// secretName returns a random name of the maximum length.
func secretName() string { return fmt.Sprintf("tun%012x", rand.Uint64()>>16) }
