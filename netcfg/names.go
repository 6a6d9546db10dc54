package netcfg

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
	"strings"
)

// IDMax is the largest user or group number; the one above it is the kernel's "no change".
const IDMax = 1<<32 - 2

// A database has the names and the numbers of users, or of groups.
type database struct {
	name    string // as getent(1) has it
	missing Cause
	lookup  func(name string) (number string, err error) // in /etc
}

var (
	userDatabase = database{"passwd", NoUser, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	}}
	groupDatabase = database{"group", NoGroup, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	}}
)

// ParseUser reads a user's name or number. A number that is also a name is the name.
// The error is an [*Error] with the cause NoUser, or NoNames if the name service does not answer.
func ParseUser(s string) (ID, error) {
	f := parseAll(map[string]found{s: {}}, userDatabase)[s]
	return f.id, f.err
}

// ParseGroup reads a group's name or number, as [ParseUser] a user's. The cause of its error is NoGroup, or NoNames.
func ParseGroup(s string) (ID, error) {
	f := parseAll(map[string]found{s: {}}, groupDatabase)[s]
	return f.id, f.err
}

// parseAll looks up the keys of words, and fills in what was found. Those that /etc does not have are asked for in one
// go.
func parseAll(words map[string]found, d database) map[string]found {
	var unknown []string
	for s := range words {
		id, err := d.parse(s)
		words[s] = found{id, err}
		if e := new(Error); errors.As(err, &e) && e.Cause == d.missing && askable(s) {
			unknown = append(unknown, s)
		}
	}
	known := map[string]ID{}
	if len(unknown) > 1 {
		entries, _ := getent(d.name, unknown...) // an error comes back below
		for _, fields := range entries {
			if n, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
				known[fields[0]] = ID{uint32(n), fields[0]}
			}
		}
	}
	for _, s := range unknown {
		if id, there := known[s]; there {
			words[s] = found{id: id}
			continue
		}
		entries, err := getent(d.name, s) // one that the service knows under another name, or nobody
		if err != nil {
			words[s] = found{err: &Error{Cause: NoNames, What: fmt.Sprintf("%s %q", idNoun(d.missing), s), Fix: idFix(d.name, s)}}
		}
		for _, fields := range entries {
			if n, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
				words[s] = found{id: ID{uint32(n), s}}
			}
		}
	}
	return words
}

// parse reads a name that /etc has, or a number.
func (d database) parse(s string) (ID, error) {
	if s == "" {
		return ID{}, &Error{Cause: BadRequest, Detail: idNoun(d.missing) + ": the name is empty"}
	}
	if number, err := d.lookup(s); err == nil {
		n, err := strconv.ParseUint(number, 10, 32)
		return ID{uint32(n), s}, err
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		if n > IDMax {
			return ID{}, &Error{Cause: BadRequest, Detail: fmt.Sprintf("%s %s: larger than %d", idNoun(d.missing), s, uint32(IDMax))}
		}
		return ID{Number: uint32(n)}, nil
	}
	return ID{}, &Error{Cause: d.missing, What: fmt.Sprintf("%s %q", idNoun(d.missing), s)}
}

// askable says whether getent takes a word for a name.
func askable(s string) bool {
	return !strings.ContainsAny(s, " \t\n:\x00") && strings.Trim(s, "+-0123456789") != "" && !strings.HasPrefix(s, "-")
}

func idFix(database, name string) Fix {
	return Fix{Before: "try ", Commands: []Command{{Words: []string{"getent", database, name}}}, After: ", or give a number"}
}

func idNoun(missing Cause) string {
	if missing == NoGroup {
		return "group"
	}
	return "user"
}

// names are the users and groups that are known by now, by number; "" for one that has no name.
type names struct{ users, groups map[uint32]string }

// name puts the names to the numbers of accesses and holders: each number is looked up once.
func name(devices []*Device) {
	n := names{map[uint32]string{}, map[uint32]string{}}
	for _, d := range devices {
		collect(n.users, d.Access.User)
		collect(n.groups, d.Access.Group)
		for i := range d.Holders {
			collect(n.users, &d.Holders[i].User)
		}
	}
	resolve(n.users, "passwd", func(id string) (string, error) {
		u, err := user.LookupId(id)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
	resolve(n.groups, "group", func(id string) (string, error) {
		g, err := user.LookupGroupId(id)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
	for _, d := range devices {
		apply(n.users, d.Access.User)
		apply(n.groups, d.Access.Group)
		for i := range d.Holders {
			apply(n.users, &d.Holders[i].User)
		}
	}
}

func collect(known map[uint32]string, id *ID) {
	if id != nil {
		known[id.Number] = ""
	}
}

func apply(known map[uint32]string, id *ID) {
	if id != nil {
		id.Name = known[id.Number]
	}
}

// resolve fills in the names of the numbers in known; those that /etc does not have are asked for in one go.
func resolve(known map[uint32]string, database string, lookup func(string) (string, error)) {
	var unknown []string
	for number := range known {
		id := strconv.FormatUint(uint64(number), 10)
		name, err := lookup(id)
		if err != nil {
			unknown = append(unknown, id)
			continue
		}
		known[number] = name
	}
	if len(unknown) == 0 {
		return
	}
	entries, _ := getent(database, unknown...) // what has no name is shown by its number
	for _, fields := range entries {
		if n, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			known[uint32(n)] = fields[0]
		}
	}
}
