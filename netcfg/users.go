package netcfg

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"

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
	p := Person{ID: ID{Number: uint32(os.Geteuid())}, Groups: []uint32{uint32(os.Getegid())}, Admin: mayConfigure() && ownsNamespace(), Self: true}
	more, _ := os.Getgroups() // none are known then
	for _, g := range more {
		p.Groups = append(p.Groups, uint32(g))
	}
	p.ID.Name = userName(p.ID.Number)
	return p
}

func userName(number uint32) string {
	known := map[uint32]string{number: ""}
	resolve(known, "passwd", func(id string) (string, error) {
		u, err := user.LookupId(id)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
	return known[number]
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

// Person looks a user up, with his own groups. The error is an [*Error] with the cause NoUser.
func (ns *Namespace) Person(name string) (Person, error) {
	id, err := ParseUser(name)
	if err != nil {
		return Person{}, err
	}
	if id.Name == "" {
		id.Name = userName(id.Number)
	}
	p := Person{ID: id, Admin: id.Number == 0}
	if self := ns.Self(); self.ID.Number == 0 {
		p.Admin = p.Admin && self.Admin // what root may here
	}
	if id.Name == "" {
		return p, nil
	}
	u, err := user.Lookup(id.Name)
	if err != nil { // the host's name service knows him
		return p, p.foreignGroups()
	}
	ids, err := u.GroupIds()
	if err != nil {
		return p, fmt.Errorf("groups of %q: %w", id.Name, err)
	}
	p.addGroups(append([]string{u.Gid}, ids...))
	return p, nil
}

// foreignGroups asks the host's name service.
func (p *Person) foreignGroups() error {
	entries, err := getent("passwd", p.ID.Name)
	for _, fields := range entries {
		if len(fields) > 3 {
			p.addGroups([]string{fields[3]})
		}
	}
	lines, groupsErr := getentLines("initgroups", p.ID.Name)
	if err != nil || groupsErr != nil {
		return &Error{Cause: NoNames, What: "groups of " + Escape(p.ID.Name), Fix: idFix("initgroups", p.ID.Name)}
	}
	for _, line := range lines {
		if words := strings.Fields(line); len(words) > 1 {
			p.addGroups(words[1:])
		}
	}
	return nil
}

func (p *Person) addGroups(ids []string) {
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil && !slices.Contains(p.Groups, uint32(n)) {
			p.Groups = append(p.Groups, uint32(n))
		}
	}
}

// Admits says whether the kernel lets the person attach, as far as owner and group decide it.
func (a Access) Admits(p Person) bool {
	return p.Admin || (a.User == nil || a.User.Number == p.ID.Number) && (a.Group == nil || slices.Contains(p.Groups, a.Group.Number))
}

// DriverFor says why the person cannot open the driver, by an [*Error], or nil. Of somebody else it looks at the modes
// of the node and of the directories above it, and not at access control lists.
func (ns *Namespace) DriverFor(p Person) error {
	err := ns.UseNode(driver)
	if p.Self || err != nil && !errors.Is(err, unix.EACCES) {
		return err
	}
	if p.ID.Number == 0 {
		return nil // CAP_DAC_OVERRIDE
	}
	for _, step := range []struct {
		path string
		bits uint32
	}{{"/", 1}, {"/dev", 1}, {"/dev/net", 1}, {driver, 6}} {
		var st unix.Stat_t
		if unix.Stat(step.path, &st) == nil && !p.may(&st, step.bits) {
			return explainOpen(driver, unix.EACCES)
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
