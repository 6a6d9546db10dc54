package netcfg

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// IDMax is the largest UID or GID. The kernel takes the number above it for "no change".
const IDMax = 1<<32 - 2

// parseUser reads the name or the UID of a user. A number that is also a name is the name. The error is an [*Error]
// with the cause NoUser, or NoNames if the name service does not answer.
func (y *Directory) parseUser(s string) (ID, error) {
	f := y.parse(map[string]found{s: {}}, userDatabase)[s]
	return f.id, f.err
}

// parseGroup reads the name or the GID of a group, as [Directory.parseUser] does for users. The cause of its error is
// NoGroup, or NoNames.
func (y *Directory) parseGroup(s string) (ID, error) {
	f := y.parse(map[string]found{s: {}}, groupDatabase)[s]
	return f.id, f.err
}

// parse looks up the keys of words, and fills in the results. The name service is asked once for all names that /etc
// does not have.
func (y *Directory) parse(words map[string]found, d database) map[string]found {
	var unknown []string
	for s := range words {
		id, err := y.parseLocal(s, d)
		words[s] = found{id, err}
		if e := new(Error); errors.As(err, &e) && e.Cause == d.missing && askable(s) {
			unknown = append(unknown, s)
		}
	}
	known := map[string]ID{}
	if len(unknown) > 1 {
		list, _ := y.ask(d, unknown...) // an error comes back below
		for _, a := range list {
			n, _ := a.number()
			known[a.name()] = ID{n, a.name()}
		}
	}
	for _, s := range unknown {
		if id, there := known[s]; there {
			words[s] = found{id: id}
			continue
		}
		list, err := y.ask(d, s) // the service may know the account under another name
		if err != nil {
			words[s] = found{err: &Error{Cause: NoNames, What: fmt.Sprintf("%s %q", d.noun, s), Fix: idFix(d.name, s)}}
		}
		for _, a := range list {
			n, _ := a.number()
			words[s] = found{id: ID{n, s}}
		}
	}
	return words
}

// parseLocal reads a name that /etc has, or a number.
func (y *Directory) parseLocal(s string, d database) (ID, error) {
	if s == "" {
		return ID{}, &Error{Cause: BadRequest, Detail: d.noun + ": the name is empty"}
	}
	if a := y.file(d).byName[s]; a != nil {
		n, _ := a.number()
		return ID{n, s}, nil
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		if n > IDMax {
			return ID{}, &Error{Cause: BadRequest, Detail: fmt.Sprintf("%s %s: larger than %d", d.noun, s, uint32(IDMax))}
		}
		return ID{Number: uint32(n)}, nil
	}
	return ID{}, &Error{Cause: d.missing, What: fmt.Sprintf("%s %q", d.noun, s)}
}

// askable reports whether getent takes a word for a name.
func askable(s string) bool {
	return !strings.ContainsAny(s, " \t\n:\x00") && strings.Trim(s, "+-0123456789") != "" && !strings.HasPrefix(s, "-")
}

func idFix(database, name string) Fix {
	return Fix{Before: "try ", Commands: []Command{{Words: []string{"getent", database, name}}}, After: ", or give a number"}
}

// nameAll sets the names of the users and groups of accesses and holders, "" for a number without a name. It looks each
// number up once, and asks the name service once for those that /etc does not have.
func (y *Directory) nameAll(devices []*Device) {
	users, groups := map[uint32][]*ID{}, map[uint32][]*ID{}
	collect := func(to map[uint32][]*ID, id *ID) {
		if id != nil {
			to[id.Number] = append(to[id.Number], id)
		}
	}
	for _, d := range devices {
		collect(users, d.Access.User)
		collect(groups, d.Access.Group)
		for i := range d.Holders {
			collect(users, &d.Holders[i].User)
		}
	}
	y.fillIn(users, userDatabase)
	y.fillIn(groups, groupDatabase)
}

func (y *Directory) fillIn(wanted map[uint32][]*ID, d database) {
	if len(wanted) == 0 {
		return
	}
	var unknown []string
	local := y.file(d)
	set := func(n uint32, name string) {
		for _, id := range wanted[n] {
			id.Name = name
		}
	}
	for n := range wanted {
		a := local.byNumber[n]
		if a == nil {
			set(n, "")
			unknown = append(unknown, strconv.FormatUint(uint64(n), 10))
			continue
		}
		set(n, a.name())
	}
	if len(unknown) == 0 {
		return
	}
	list, _ := y.ask(d, unknown...) // an account without a name is shown by its number
	for _, a := range list {
		n, _ := a.number()
		set(n, a.name())
	}
}

// userName returns the name of a user, "" if there is none.
func (y *Directory) userName(n uint32) string {
	id := ID{Number: n}
	y.fillIn(map[uint32][]*ID{n: {&id}}, userDatabase)
	return id.Name
}
