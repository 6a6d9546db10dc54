package accounts

import (
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
)

// A Directory looks up accounts. It reads each file in /etc once, and again if the file has changed. Its zero value is
// ready for use.
type Directory struct {
	service       nameService
	passwd, group accounts
}

// Answers reports whether the name service answered when it was last asked.
func (y *Directory) Answers() bool { return y.service.answers() }

// A Database holds the names and the numbers of users, or of groups. It has the name that getent(1) uses, which is also
// the name of the file in /etc.
type Database string

// The databases.
const (
	Users  Database = "passwd"
	Groups Database = "group"
)

// An account is a line of /etc/passwd or /etc/group, or of getent(1) for one of these: the name, a password, the number
// and more fields.
type account []string

func (a account) name() string { return a[0] }

// number returns the number of the user or the group.
func (a account) number() (uint32, bool) { return number(a[2]) }

func number(text string) (uint32, bool) {
	n, err := strconv.ParseUint(text, 10, 32)
	return uint32(n), err == nil
}

// parseAccounts returns the accounts of lines. Comments, entries of the old NIS such as "+", and lines without a number
// are left out.
func parseAccounts(lines []string) (list []account) {
	for _, line := range lines {
		a := account(strings.Split(strings.TrimSuffix(line, "\n"), ":"))
		if len(a) < 3 || a[0] == "" || strings.Contains("#+-", a[0][:1]) {
			continue
		}
		if _, ok := a.number(); ok {
			list = append(list, a)
		}
	}
	return list
}

// accounts are the content of a file in /etc. Of several lines of one name or number the first counts.
type accounts struct {
	changed  unix.Timespec // when, by the inode
	inode    uint64
	list     []account
	byName   map[string]account
	byNumber map[uint32]account
}

// read reads the file if it has changed since the last time. A file that cannot be read is empty.
func (f *accounts) read(path string) *accounts {
	var st unix.Stat_t
	if unix.Stat(path, &st) == nil && f.byName != nil && st.Ctim == f.changed && st.Ino == f.inode {
		return f
	}
	text, _ := files.Read(path)
	*f = accounts{changed: st.Ctim, inode: st.Ino, byName: map[string]account{}, byNumber: map[uint32]account{}}
	f.list = parseAccounts(strings.Split(string(text), "\n"))
	for _, a := range f.list {
		n, _ := a.number()
		if _, twice := f.byName[a.name()]; !twice {
			f.byName[a.name()] = a
		}
		if _, twice := f.byNumber[n]; !twice {
			f.byNumber[n] = a
		}
	}
	return f
}

// file returns the accounts of a database that are kept in /etc.
func (y *Directory) file(d Database) *accounts {
	if d == Groups {
		return y.group.read("/etc/group")
	}
	return y.passwd.read("/etc/passwd")
}

// ask asks the name service for accounts by name or by number. The error is ErrSilent.
func (y *Directory) ask(d Database, keys ...string) ([]account, error) {
	lines, err := y.service.lines(string(d), keys...)
	return parseAccounts(lines), err
}

// GroupsOf returns the numbers of a user's groups, the user's own first. Of a user in /etc these are the groups in
// /etc, of others those that the name service reports. The error is ErrSilent.
func (y *Directory) GroupsOf(user string) ([]uint32, error) {
	var ids []string
	if a := y.file(Users).byName[user]; len(a) > 3 {
		ids = append(ids, a[3])
		for _, g := range y.file(Groups).list {
			if len(g) > 3 && contains(g[3], user) {
				ids = append(ids, g[2])
			}
		}
	} else {
		found, err := y.ask(Users, user)
		for _, a := range found {
			ids = append(ids, a[min(3, len(a)-1)])
		}
		lines, groupsErr := y.service.lines("initgroups", user)
		if err != nil || groupsErr != nil {
			return nil, ErrSilent
		}
		for _, line := range lines {
			if words := strings.Fields(line); len(words) > 1 {
				ids = append(ids, words[1:]...)
			}
		}
	}
	var list []uint32
	for _, id := range ids {
		if n, ok := number(id); ok {
			list = append(list, n)
		}
	}
	return list, nil
}

// contains reports whether a list of names that commas separate has a name.
func contains(list, name string) bool { return strings.Contains(","+list+",", ","+name+",") }
