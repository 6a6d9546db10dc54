package fix

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Likewise returns the fix for several devices, if f is the fix for one of them. A command of this program gets all
// names. For other commands with the name, a comment is added: the other devices require the same command.
func (f Fix) Likewise(device string, all []string) Fix {
	about := func(c Command) bool {
		return slices.ContainsFunc(c.Words[1:], func(word string) bool { return names(word, device) })
	}
	alone := func(c Command) bool {
		at := slices.Index(c.Words, device)
		takesAll := at == 2 && c.Words[0] == "tunadm" && (c.Words[1] == "set" || c.Words[1] == "delete")
		return about(c) && (!takesAll || slices.Contains(c.Words[at+1:], device))
	}
	if slices.ContainsFunc(f.Commands, alone) {
		f.After += fmt.Sprintf("  # and likewise for the other %d", len(all)-1)
		return f
	}
	f.Commands = slices.Clone(f.Commands)
	for i, c := range f.Commands {
		if at := slices.Index(c.Words, device); at > 0 {
			f.Commands[i].Words = slices.Concat(c.Words[:at], span(all), c.Words[at+1:])
		}
	}
	return f
}

// names reports whether a word is the name of a device, or has it between separators, as the name of a sysctl does.
func names(word, device string) bool {
	separators := `/="'{},: `
	if !strings.Contains(device, ".") { // sysctl(8) then has no slashes
		separators += "."
	}
	parts := strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(separators, r) })
	return word == device || slices.Contains(parts, device)
}

// span returns names as one range, such as tap[0-9], if they are one.
func span(names []string) []string {
	prefix := strings.TrimRight(names[0], "0123456789")
	for i, name := range names {
		first, _ := strconv.Atoi(names[0][len(prefix):])
		if name != prefix+strconv.Itoa(first+i) {
			return names
		}
	}
	return []string{fmt.Sprintf("%s[%s-%s]", prefix, names[0][len(prefix):], names[len(names)-1][len(prefix):])}
}
