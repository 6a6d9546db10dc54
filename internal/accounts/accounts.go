// Package accounts looks up users and groups in /etc/passwd and /etc/group, and accounts that are not there with the
// host's name service.
package accounts

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Largest is the largest UID or GID. The kernel takes the number above it for "no change".
const Largest = 1<<32 - 2

// The errors of a look-up.
var (
	ErrEmpty   = errors.New("the name is empty")
	ErrLarge   = errors.New("the number is too large")
	ErrUnknown = errors.New("there is no such account")
	ErrSilent  = errors.New("the name service does not answer")
)

// Found is the result of a look-up of a name or a number.
type Found struct {
	Number uint32
	Named  bool  // the word was a name
	Err    error // nil, or one of the errors of a look-up
}

// Find looks up words, each the name or the number of an account. A number that is also a name is the name. The name
// service is asked once for all names that /etc does not have.
func (y *Directory) Find(d Database, words ...string) map[string]Found {
	results := map[string]Found{}
	var unknown []string
	for _, s := range words {
		results[s] = y.findLocal(d, s)
		if results[s].Err == ErrUnknown && askable(s) {
			unknown = append(unknown, s)
		}
	}
	known := map[string]uint32{}
	slices.Sort(unknown)
	if len(unknown) > 1 {
		list, _ := y.ask(d, unknown...) // an error comes back below
		for _, a := range list {
			known[a.name()], _ = a.number()
		}
	}
	for _, s := range unknown {
		if n, there := known[s]; there {
			results[s] = Found{Number: n, Named: true}
			continue
		}
		list, err := y.ask(d, s) // the service may know the account under another name
		if err != nil {
			results[s] = Found{Err: err}
		}
		for _, a := range list {
			n, _ := a.number()
			results[s] = Found{Number: n, Named: true}
		}
	}
	return results
}

// findLocal looks up a name that /etc has, or a number.
func (y *Directory) findLocal(d Database, s string) Found {
	if s == "" {
		return Found{Err: ErrEmpty}
	}
	if a := y.file(d).byName[s]; a != nil {
		n, _ := a.number()
		return Found{Number: n, Named: true}
	}
	n, err := strconv.ParseUint(s, 10, 64)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return Found{Err: ErrLarge}
	case err != nil:
		return Found{Err: ErrUnknown}
	case n > Largest:
		return Found{Err: ErrLarge}
	}
	return Found{Number: uint32(n)}
}

// LocalNames returns the names that /etc has, sorted.
func (y *Directory) LocalNames(d Database) []string {
	return slices.Sorted(maps.Keys(y.file(d).byName))
}

// askable reports whether getent takes a word for a name.
func askable(s string) bool {
	return !strings.ContainsAny(s, " \t\n:\x00") && strings.Trim(s, "+-0123456789") != "" && !strings.HasPrefix(s, "-")
}

// Names returns the names of accounts, by their numbers. Accounts without a name are left out. The name service is
// asked once for all numbers that /etc does not have.
func (y *Directory) Names(d Database, numbers ...uint32) map[uint32]string {
	if len(numbers) == 0 {
		return nil
	}
	names := map[uint32]string{}
	var unknown []string
	local := y.file(d)
	for _, n := range numbers {
		if a := local.byNumber[n]; a != nil {
			names[n] = a.name()
			continue
		}
		unknown = append(unknown, strconv.FormatUint(uint64(n), 10))
	}
	if len(unknown) == 0 {
		return names
	}
	list, _ := y.ask(d, unknown...) // an account that the service does not report has no name
	for _, a := range list {
		n, _ := a.number()
		names[n] = a.name()
	}
	return names
}
