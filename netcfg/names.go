package netcfg

import (
	"context"
	"fmt"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"time"
)

// idMax is the largest user or group number; the one above it is the kernel's "no change".
const idMax = 1<<32 - 2

// ParseUser reads a user's name or number. A number that is also a name is the name.
// The error is an [*Error] with the cause NoUser.
func ParseUser(s string) (ID, error) {
	return parseID(s, "passwd", NoUser, func(name string) (string, error) {
		u, err := user.Lookup(name)
		if err != nil {
			return "", err
		}
		return u.Uid, nil
	})
}

// ParseGroup reads a group's name or number, as [ParseUser] a user's. The cause of its error is NoGroup.
func ParseGroup(s string) (ID, error) {
	return parseID(s, "group", NoGroup, func(name string) (string, error) {
		g, err := user.LookupGroup(name)
		if err != nil {
			return "", err
		}
		return g.Gid, nil
	})
}

func parseID(s, database string, missing Cause, lookup func(string) (string, error)) (ID, error) {
	if s == "" {
		return ID{}, &Error{Cause: BadRequest, Detail: idNoun(missing) + ": the name is empty"}
	}
	if number, err := lookup(s); err == nil {
		n, err := strconv.ParseUint(number, 10, 32)
		return ID{uint32(n), s}, err
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		if n > idMax {
			return ID{}, &Error{Cause: BadRequest, Detail: fmt.Sprintf("%s %s: larger than %d", idNoun(missing), s, uint32(idMax))}
		}
		return ID{Number: uint32(n)}, nil
	}
	if !strings.ContainsAny(s, " \t\n:") && strings.Trim(s, "+-0123456789") != "" && !strings.HasPrefix(s, "-") { // what getent takes for a name
		for _, fields := range getent(database, s) {
			if n, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
				return ID{uint32(n), s}, nil
			}
		}
	}
	return ID{}, &Error{Cause: missing, What: fmt.Sprintf("%s %q", idNoun(missing), s)}
}

func idNoun(missing Cause) string {
	if missing == NoGroup {
		return "group"
	}
	return "user"
}

// getentTime is how long the host's name service may take; LDAP answers in milliseconds or not at all.
const getentTime = 5 * time.Second

// getent asks the host's name service for entries of a database, which may be kept outside /etc. The static
// binary reads /etc/passwd and /etc/group alone. Entries have at least three fields; there are none on any error.
func getent(database string, keys ...string) (entries [][]string) {
	for _, line := range getentLines(database, keys...) {
		if fields := strings.Split(line, ":"); len(fields) >= 3 {
			entries = append(entries, fields)
		}
	}
	return entries
}

// getentLines are what getent(1) prints.
func getentLines(database string, keys ...string) []string {
	ctx, cancel := context.WithTimeout(context.Background(), getentTime)
	defer cancel()
	for _, path := range []string{"/usr/bin/getent", "/bin/getent"} {
		cmd := exec.CommandContext(ctx, path, append([]string{database}, keys...)...)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}
		out, _ := cmd.Output() // exit 2 says that one key is unknown; the others are on stdout all the same
		if cmd.Process != nil {
			return strings.Split(strings.TrimRight(string(out), "\n"), "\n")
		}
	}
	return nil
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
	for _, fields := range getent(database, unknown...) {
		if n, err := strconv.ParseUint(fields[2], 10, 32); err == nil {
			known[uint32(n)] = fields[0]
		}
	}
}
