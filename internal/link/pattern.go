package link

import (
	"strconv"
	"strings"
)

// A Pattern matches names: "*" is any text, "?" any byte, and [A-B] a number of a [Range].
type Pattern struct{ Range }

// IsPattern reports whether a word has a character of a pattern. A device may have such a name too.
func IsPattern(word string) bool { return strings.ContainsAny(word, "*?[") }

// ParsePattern parses a word, such as "vm*", "vm[0-3]" or "*-[00-15]".
func ParsePattern(word string) (Pattern, error) {
	r, err := ParseRange(word)
	return Pattern{r}, err
}

// Matches reports whether the pattern matches the whole name.
func (p Pattern) Matches(name string) bool {
	if p.Plain {
		return matches(p.before, name, func(rest string) bool { return rest == "" })
	}
	return matches(p.before, name, func(rest string) bool {
		for digits := 1; digits <= len(rest); digits++ {
			n, err := strconv.Atoi(rest[:digits])
			if err != nil {
				return false
			}
			if n >= p.First && n <= p.Last && p.number(n) == rest[:digits] &&
				matches(p.after, rest[digits:], func(rest string) bool { return rest == "" }) {
				return true
			}
		}
		return false
	})
}

// matches reports whether name begins with what a glob without ranges matches, and then accepts the rest.
func matches(glob, name string, then func(rest string) bool) bool {
	switch {
	case glob == "":
		return then(name)
	case glob[0] == '*':
		for strings.HasPrefix(glob, "**") { // each would multiply the time
			glob = glob[1:]
		}
		for skip := 0; skip <= len(name); skip++ {
			if matches(glob[1:], name[skip:], then) {
				return true
			}
		}
		return false
	case name == "" || glob[0] != '?' && glob[0] != name[0]:
		return false
	}
	return matches(glob[1:], name[1:], then)
}
