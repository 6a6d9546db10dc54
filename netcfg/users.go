package netcfg

import (
	"errors"
	"os"
	"slices"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/surroundings"
	"golang.org/x/sys/unix"
)

// A Person is a user as the kernel sees one who opens the driver and attaches.
type Person struct {
	ID     ID
	Groups []uint32 // the first is his own, then the supplementary ones
	Admin  bool     // has CAP_NET_ADMIN over the network namespace
	Self   bool     // runs this program
}

// Self is who runs the program.
func (ns *Namespace) Self() Person {
	p := Person{
		ID: ID{Number: uint32(os.Geteuid())}, Groups: []uint32{uint32(os.Getegid())},
		Admin: surroundings.MayConfigure() && ownsNamespace(), Self: true,
	}
	more, _ := os.Getgroups() // none are known then
	for _, g := range more {
		p.Groups = append(p.Groups, uint32(g))
	}
	p.ID.Name = ns.Directory.userName(p.ID.Number)
	return p
}

// ownsNamespace says whether capabilities count in the thread's network namespace: it belongs to the thread's user
// namespace, or one within.
func ownsNamespace() bool {
	ns, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return true
	}
	defer unix.Close(ns)
	owner, err := unix.IoctlRetInt(ns, unix.NS_GET_USERNS)
	if err == nil {
		unix.Close(owner)
	}
	return !errors.Is(err, unix.EPERM) // a user namespace outside
}

// Person looks a user up, with his own groups. The error is a [*cause.Error] with the cause NoUser.
func (ns *Namespace) Person(name string) (Person, error) {
	id, err := ns.Directory.parseUser(name)
	if err != nil {
		return Person{}, err
	}
	if id.Name == "" {
		id.Name = ns.Directory.userName(id.Number)
	}
	p := Person{ID: id, Admin: id.Number == 0}
	if self := ns.Self(); self.ID.Number == 0 {
		p.Admin = p.Admin && self.Admin // what root may here
	}
	if id.Name == "" {
		return p, nil
	}
	p.Groups, err = ns.Directory.groupsOf(id.Name)
	return p, err
}

// Admits says whether the kernel lets the person attach, as far as owner and group decide it.
func (a Access) Admits(p Person) bool {
	return p.Admin || (a.User == nil || a.User.Number == p.ID.Number) && (a.Group == nil || slices.Contains(p.Groups, a.Group.Number))
}

// DriverFor says why the person cannot open the driver, by a [*cause.Error], or nil. Of somebody else it looks at the
// modes of the node and of the directories above it, and not at access control lists.
func (ns *Namespace) DriverFor(p Person) error {
	err := ns.UseNode(driver.Path)
	if p.Self || err != nil && !errors.Is(err, unix.EACCES) {
		return err
	}
	if p.ID.Number == 0 {
		return nil // CAP_DAC_OVERRIDE
	}
	for _, step := range []struct {
		path string
		bits uint32
	}{{"/", 1}, {"/dev", 1}, {"/dev/net", 1}, {driver.Path, 6}} {
		var st unix.Stat_t
		if unix.Stat(step.path, &st) == nil && !p.may(&st, step.bits) {
			return driver.OpenError(driver.Path, unix.EACCES)
		}
	}
	return nil
}

// may says whether the mode of a file gives the person the rights in bits.
func (p Person) may(st *unix.Stat_t, bits uint32) bool {
	switch mode := uint32(st.Mode); {
	case st.Uid == p.ID.Number:
		return mode>>6&bits == bits
	case slices.Contains(p.Groups, st.Gid):
		return mode>>3&bits == bits
	default:
		return mode&bits == bits
	}
}
