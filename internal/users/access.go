// Package users has who may attach to a device: owners and groups by name and number, and persons with their rights.
package users

import (
	"cmp"
	"errors"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/accounts"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/words"
	"golang.org/x/sys/unix"
)

// Access is who may attach to a device: a user, the members of a group, or a user who must also be in the group. If
// both fields are nil, everyone who can open the driver's node may attach.
type Access struct{ User, Group *ID }

// An ID is a user or a group. The kernel keeps the number only.
type ID struct {
	Number uint32 // 0..4294967294
	Name   string // the name that was asked for or looked up; "" if none is known
}

// Root returns the access of a device for which none was asked: root alone.
func Root() *Access { return &Access{User: &ID{0, "root"}} }

func (id ID) String() string {
	if id.Name != "" {
		return id.Name
	}
	return strconv.FormatUint(uint64(id.Number), 10)
}

// String returns the access as list prints it: a user, "G(group)", "U+G(group)", or "anyone".
func (a Access) String() string {
	switch {
	case a.User != nil && a.Group != nil:
		return a.User.String() + "+" + a.Group.String() + "(group)"
	case a.User != nil:
		return a.User.String()
	case a.Group != nil:
		return a.Group.String() + "(group)"
	}
	return "anyone"
}

// Flags returns the access as flags of set.
func (a Access) Flags() (flags []string) {
	if a.User != nil {
		flags = append(flags, "--user", a.User.String())
	}
	if a.Group != nil {
		flags = append(flags, "--group", a.Group.String())
	}
	if len(flags) == 0 {
		return []string{"--anyone"}
	}
	return flags
}

// Words returns who may attach, as a phrase for messages.
func (a Access) Words() string {
	switch {
	case a.User != nil && a.Group != nil:
		return "user " + words.Escape(a.User.String()) + " as a member of group " + words.Escape(a.Group.String())
	case a.User != nil:
		return "user " + words.Escape(a.User.String())
	case a.Group != nil:
		return "members of group " + words.Escape(a.Group.String())
	}
	return "everyone who can open the driver"
}

// Parts returns the owner and the group, as a phrase for messages.
func (a Access) Parts() string {
	var parts []string
	if a.User != nil {
		parts = append(parts, "the owner "+words.Escape(a.User.String()))
	}
	if a.Group != nil {
		parts = append(parts, "the group "+words.Escape(a.Group.String()))
	}
	return strings.Join(parts, " and ")
}

// Same reports whether two accesses have the same UID and GID.
func (a Access) Same(b Access) bool {
	return SameID(a.User, b.User) && SameID(a.Group, b.Group)
}

// SameID reports whether two IDs have the same number, or are both absent.
func SameID(a, b *ID) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Number == b.Number
}

// Reachable reports whether the kernel can change have into a. It can replace an owner or a group, but not remove it.
func (a Access) Reachable(have Access) bool {
	return (a.User != nil || have.User == nil) && (a.Group != nil || have.Group == nil)
}

// Over returns a, with the owner and the group of have where a names none.
func (a Access) Over(have Access) *Access {
	return &Access{User: cmp.Or(a.User, have.User), Group: cmp.Or(a.Group, have.Group)}
}

// SetAccess sets the owner and the group of the attached device where want differs from have.
func SetAccess(fd int, want, have Access) error {
	for _, c := range []struct {
		what       string
		request    uint
		want, have *ID
	}{{"owner ", unix.TUNSETOWNER, want.User, have.User}, {"group ", unix.TUNSETGROUP, want.Group, have.Group}} {
		if SameID(c.want, c.have) {
			continue
		}
		if err := unix.IoctlSetInt(fd, c.request, int(c.want.Number)); err != nil {
			e := &cause.Error{What: c.what + words.Escape(c.want.String()), Err: err}
			if errors.Is(err, unix.EINVAL) {
				e.Detail = "this user namespace has no such ID"
			}
			return e
		}
	}
	return nil
}

// Names is an access as the user asks for it: a user and a group by name or number, or anyone. If all fields are
// zero, it asks nothing.
type Names struct {
	User, Group *string
	Anyone      bool
}

type found struct {
	id  ID
	err error
}

// LookUp looks up the names of all these accesses at once.
func (y *Directory) LookUp(all []Names) {
	users, groups := map[string]found{}, map[string]found{}
	for _, n := range all {
		if n.User != nil {
			users[*n.User] = found{}
		}
		if n.Group != nil {
			groups[*n.Group] = found{}
		}
	}
	y.users, y.groups = y.parse(users, accounts.Users), y.parse(groups, accounts.Groups)
}

// Access returns the access by number, or nil if none is asked. The error is a [*cause.Error] with the cause NoUser,
// NoGroup or NoNames.
func (y *Directory) Access(n Names) (*Access, error) {
	if n == (Names{}) {
		return nil, nil
	}
	if y.users == nil {
		y.LookUp([]Names{n})
	}
	var a Access
	var err error
	if a.User, err = lookUp(y.users, n.User, y.parseUser); err == nil {
		a.Group, err = lookUp(y.groups, n.Group, y.parseGroup)
	}
	if err != nil {
		return nil, err
	}
	return &a, nil
}

func lookUp(known map[string]found, name *string, parse func(string) (ID, error)) (*ID, error) {
	if name == nil {
		return nil, nil
	}
	f, asked := known[*name]
	if !asked {
		f.id, f.err = parse(*name)
		known[*name] = f
	}
	return &f.id, f.err
}
