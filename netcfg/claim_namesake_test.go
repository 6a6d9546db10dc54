package netcfg

import (
	"testing"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"golang.org/x/sys/unix"
)

// TestANamesakeKeepsItsFlags attaches to a device whose name another device takes at the last moment.
func TestANamesakeKeepsItsFlags(t *testing.T) {
	take := func(name string) []string {
		return []string{"link set x7 down", "link set x7 name away7", "link set " + name + " name x7"}
	}
	for _, c := range []struct {
		name, other string   // other: the arguments of ip(8) that make the other device
		swap        []string // the interference
		flags       uint16   // of the attachment, besides the mode
	}{
		{"renamed", "tuntap add dev other7 mode tun vnet_hdr", take("other7"), unix.IFF_NO_PI},
		{"with packet information", "tuntap add dev other7 mode tun pi", take("other7"),
			unix.IFF_NO_PI | unix.IFF_VNET_HDR},
		{"created", "", []string{"link del x7", "tuntap add dev x7 mode tun pi vnet_hdr"}, unix.IFF_NO_PI},
		{"of the same flags", "tuntap add dev other7 mode tun", take("other7"), unix.IFF_NO_PI},
	} {
		t.Run(c.name, func(t *testing.T) {
			ns := open(t)
			add(t, ns, Spec{Name: "x7", Mode: link.TUN})
			if c.other != "" {
				ip(t, c.other)
			}
			d, err := ns.link("x7", 0)
			if err != nil {
				t.Fatal(err)
			}
			fd, err := ns.openDriver()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ns.approach(fd, d); err != nil {
				t.Fatal(err)
			}
			for _, line := range c.swap {
				ip(t, line)
			}
			before, err := ns.link("x7", 0)
			if err != nil {
				t.Fatal(err)
			}
			fd, err = ns.enter(fd, d, unix.IFF_TUN|c.flags)
			if fd != -1 || cause.Of(err) != cause.NoDevice {
				t.Errorf("got descriptor %d, %v; want no such device", fd, err)
			}
			after, err := ns.link("x7", 0)
			if err != nil {
				t.Fatal(err)
			}
			if after.Index != before.Index || after.flags() != before.flags() {
				t.Errorf("flags %#x became %#x", before.flags(), after.flags())
			}
			if n := ns.SingleQueue(after); n != 0 {
				t.Errorf("%d queues stay attached", n)
			}
		})
	}
}

// TestNoAttachmentIsTriedOnANamesake attaches to a device whose name another device has since the last look.
func TestNoAttachmentIsTriedOnANamesake(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "x7", Mode: link.TUN})
	d, err := ns.link("x7", 0)
	if err != nil {
		t.Fatal(err)
	}
	ip(t, "link del x7")
	ip(t, "tuntap add dev x7 mode tun pi")
	seen := events(t, func() {
		if _, err := ns.Attach(d, d.flags()|unix.IFF_VNET_HDR); !cause.Gone(err) {
			t.Errorf("got %v, want no such device", err)
		}
	})
	for _, d := range seen { // each TUNSETIFF is announced
		t.Errorf("announced: %s %#x", d.Name, d.flags())
	}
}
