package users

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tunadm/tunadm/internal/accounts"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// IDMax is the largest UID or GID. The kernel takes the number above it for "no change".
const IDMax = accounts.Largest

// A Directory looks up users and groups: in /etc/passwd and /etc/group, and accounts that are not there with the host's
// name service. It reads each file once, and again if the file has changed.
type Directory struct {
	accounts      accounts.Directory
	users, groups map[string]found // looked up by LookUp
}

// Answers reports whether the name service answered when it was last asked.
func (y *Directory) Answers() bool { return y.accounts.Answers() }

// parseUser reads the name or the UID of a user. A number that is also a name is the name. The error is a
// [*cause.Error] with the cause NoUser, or NoNames if the name service does not answer.
func (y *Directory) parseUser(s string) (ID, error) {
	f := y.parse(map[string]found{s: {}}, accounts.Users)[s]
	return f.id, f.err
}

// parseGroup reads the name or the GID of a group, as [Directory.parseUser] does for users. The cause of its error is
// NoGroup, or NoNames.
func (y *Directory) parseGroup(s string) (ID, error) {
	f := y.parse(map[string]found{s: {}}, accounts.Groups)[s]
	return f.id, f.err
}

// parse looks up the keys of words, and fills in the results.
func (y *Directory) parse(asked map[string]found, d accounts.Database) map[string]found {
	for s, f := range y.accounts.Find(d, slices.Collect(maps.Keys(asked))...) {
		id := ID{Number: f.Number}
		if f.Named {
			id.Name = s
		}
		asked[s] = found{id, y.unfound(d, s, f.Err)}
	}
	return asked
}

// unfound returns the [*cause.Error] of a look-up, or nil.
func (y *Directory) unfound(d accounts.Database, s string, err error) error {
	noun, missing := "user", cause.NoUser
	if d == accounts.Groups {
		noun, missing = "group", cause.NoGroup
	}
	switch err {
	case nil:
		return nil
	case accounts.ErrEmpty:
		return &cause.Error{Cause: cause.BadRequest, Detail: noun + ": the name is empty"}
	case accounts.ErrLarge:
		detail := fmt.Sprintf("%s %s: larger than %d", noun, s, uint32(IDMax))
		return &cause.Error{Cause: cause.BadRequest, Detail: detail}
	case accounts.ErrUnknown:
		e := &cause.Error{Cause: missing, What: fmt.Sprintf("%s %q", noun, s)}
		if near := words.Nearest(s, y.accounts.LocalNames(d)); near != "" {
			e.Fix = fix.Sentence("did you mean " + words.Escape(near) + "?")
		}
		return e
	case accounts.ErrSilent:
		return &cause.Error{Cause: cause.NoNames, What: fmt.Sprintf("%s %q", noun, s), Fix: idFix(string(d), s)}
	}
	return err
}

func idFix(database, name string) fix.Fix {
	ask := fix.Command{Words: []string{"getent", database, name}}
	return fix.Fix{Before: "try ", Commands: []fix.Command{ask}, After: ", or give a number"}
}

// groupsOf returns the numbers of a user's groups, the user's own first. The error is a [*cause.Error].
func (y *Directory) groupsOf(user string) ([]uint32, error) {
	groups, err := y.accounts.GroupsOf(user)
	if err != nil {
		return nil, &cause.Error{
			Cause: cause.NoNames, What: "groups of " + words.Escape(user), Fix: idFix("initgroups", user)}
	}
	return groups, nil
}

// Name sets the names of users and groups, "" for a number without a name. It looks each number up once, and asks the
// name service once for those that /etc does not have.
func (y *Directory) Name(users, groups []*ID) {
	y.fillIn(users, accounts.Users)
	y.fillIn(groups, accounts.Groups)
}

func (y *Directory) fillIn(ids []*ID, d accounts.Database) {
	wanted := map[uint32]bool{}
	for _, id := range ids {
		wanted[id.Number] = true
	}
	names := y.accounts.Names(d, slices.Collect(maps.Keys(wanted))...)
	for _, id := range ids {
		id.Name = names[id.Number]
	}
}

// userName returns the name of a user, "" if there is none.
func (y *Directory) userName(n uint32) string { return y.accounts.Names(accounts.Users, n)[n] }
