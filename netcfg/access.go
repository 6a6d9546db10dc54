package netcfg

import (
	"cmp"
	"strconv"
)

// Access says who may attach to a device: User alone, Group alone, or both, and then both must hold.
// Neither is anyone who can open the driver.
type Access struct{ User, Group *ID }

// An ID is a user or a group: the number that the kernel keeps, and the name it was asked or found by, if any.
type ID struct {
	Number uint32 // 0..4294967294
	Name   string // "": none is known
}

// Root is the access of a device for which none was asked: user 0 alone.
func Root() *Access { return &Access{User: &ID{0, "root"}} }

func (id ID) String() string {
	if id.Name != "" {
		return id.Name
	}
	return strconv.FormatUint(uint64(id.Number), 10)
}

// String is the access in the words of list: a user, "G(group)", "U+G(group)", or "anyone".
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

// Words say who may attach.
func (a Access) Words() string {
	switch {
	case a.User != nil && a.Group != nil:
		return "user " + Escape(a.User.String()) + ", if he is in group " + Escape(a.Group.String())
	case a.User != nil:
		return "user " + Escape(a.User.String())
	case a.Group != nil:
		return "members of group " + Escape(a.Group.String())
	}
	return "everyone who can open the driver"
}

// same says whether two accesses admit the same, by number.
func (a Access) same(b Access) bool {
	return sameID(a.User, b.User) && sameID(a.Group, b.Group)
}

func sameID(a, b *ID) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Number == b.Number
}

// reachable says whether the kernel can turn have into a: an owner or a group can be replaced, never taken away.
func (a Access) reachable(have Access) bool {
	return (a.User != nil || have.User == nil) && (a.Group != nil || have.Group == nil)
}

// over is the access a where it names an owner and a group, and else have.
func (a Access) over(have Access) *Access {
	return &Access{User: cmp.Or(a.User, have.User), Group: cmp.Or(a.Group, have.Group)}
}

// AccessNames are the three words of an access as they are asked for: a user and a group by name or number, or anyone.
// None of the three asks nothing.
type AccessNames struct {
	User, Group *string
	Anyone      bool
}

type found struct {
	id  ID
	err error
}

// LookUp looks up all names that will be asked for.
func (y *Directory) LookUp(all []AccessNames) {
	users, groups := map[string]found{}, map[string]found{}
	for _, n := range all {
		if n.User != nil {
			users[*n.User] = found{}
		}
		if n.Group != nil {
			groups[*n.Group] = found{}
		}
	}
	y.users, y.groups = y.parse(users, userDatabase), y.parse(groups, groupDatabase)
}

// Access is the access by number; nil if none is asked. The error is an [*Error] with the cause NoUser, NoGroup or
// NoNames.
func (y *Directory) Access(n AccessNames) (*Access, error) {
	if n == (AccessNames{}) {
		return nil, nil
	}
	if y.users == nil {
		y.LookUp([]AccessNames{n})
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
