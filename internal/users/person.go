package users

import (
	"errors"
	"os"
	"slices"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/surroundings"
	"golang.org/x/sys/unix"
)

// A Person is a user, with the rights that the kernel checks when the user opens the driver and attaches.
type Person struct {
	ID     ID
	Groups []uint32 // the primary group first, then the supplementary ones
	Admin  bool     // has CAP_NET_ADMIN over the network namespace
	Self   bool     // the invoking user
}

// Self returns the invoking user.
func (y *Directory) Self() Person {
	p := Person{
		ID: ID{Number: uint32(os.Geteuid())}, Groups: []uint32{uint32(os.Getegid())},
		Admin: surroundings.MayConfigure() && ownsNamespace(), Self: true,
	}
	more, _ := os.Getgroups() // without an answer, none are known
	for _, g := range more {
		p.Groups = append(p.Groups, uint32(g))
	}
	p.ID.Name = y.userName(p.ID.Number)
	return p
}

// ownsNamespace reports whether capabilities count in the thread's network namespace: it belongs to the thread's user
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

// Person looks up a user and the groups of the user. The error is a [*cause.Error] with the cause NoUser.
func (y *Directory) Person(name string) (Person, error) {
	id, err := y.parseUser(name)
	if err != nil {
		return Person{}, err
	}
	if id.Name == "" {
		id.Name = y.userName(id.Number)
	}
	p := Person{ID: id, Admin: id.Number == 0}
	if self := y.Self(); self.ID.Number == 0 {
		p.Admin = p.Admin && self.Admin // the rights that root has here
	}
	if id.Name == "" {
		return p, nil
	}
	p.Groups, err = y.groupsOf(id.Name)
	return p, err
}

// Admits reports whether the owner and the group of a device let the person attach.
func (a Access) Admits(p Person) bool {
	return p.Admin || (a.User == nil || a.User.Number == p.ID.Number) &&
		(a.Group == nil || slices.Contains(p.Groups, a.Group.Number))
}

// OpenDriver returns a [*cause.Error] if the person cannot open the driver, or nil. For another user than the invoking
// one, it looks at the modes of the node and of the directories above it, and not at access control lists.
func (p Person) OpenDriver() error {
	fd, err := driver.Open(driver.Path)
	if err == nil {
		unix.Close(fd)
	}
	if p.Self || err != nil && (!errors.Is(err, unix.EACCES) || driver.OnNodev()) {
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
			return driver.ModeForbids()
		}
	}
	return nil
}

// may reports whether the mode of a file gives the person the rights in bits.
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
