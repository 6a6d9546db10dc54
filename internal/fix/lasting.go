package fix

import (
	"slices"
	"strings"
)

// How long a change of the running kernel lasts.
const (
	untilFile    = "until the next boot: add it to a file of /etc/sysctl.d"
	untilBoot    = "until the next boot"
	untilDown    = "until the device goes down or the next boot"
	untilPort    = "until the port leaves the bridge or the next boot"
	untilDeleted = "until the device is deleted or the next boot"
	untilRuleset = "until the ruleset is loaded again: add it to its file, such as /etc/nftables.conf"
	untilIPsec   = "until the IPsec program starts again: change its configuration"
	untilAgain   = "until a program adds it again, for example at the next boot"
)

// Lasting adds a comment to commands that change only the running kernel: how long the change lasts, and whether it
// opens more than one device. A fix that has a comment keeps it.
func (f Fix) Lasting() Fix {
	if strings.Contains(f.After, "#") {
		return f
	}
	var notes []string
	for _, c := range f.Commands {
		for _, note := range []string{c.opens(), c.lasts()} {
			if note != "" && !slices.Contains(notes, note) {
				notes = append(notes, note)
			}
		}
	}
	if len(notes) > 0 {
		f.After += "  # " + strings.Join(notes, "; ")
	}
	return f
}

// Narrowest returns the fixes with commands for one device before the first that opens more than one device.
func Narrowest(fixes []Fix) []Fix {
	first := slices.IndexFunc(fixes, Fix.wide)
	for i := first + 1; first >= 0 && i < len(fixes); i++ {
		if f := fixes[i]; len(f.Commands) > 0 && !f.wide() {
			fixes = slices.Insert(slices.Delete(fixes, i, i+1), first, f)
			first++
		}
	}
	return fixes
}

// wide reports whether the fix opens more than one device.
func (f Fix) wide() bool {
	return slices.ContainsFunc(f.Commands, func(c Command) bool { return c.opens() != "" })
}

// opens says that a command changes more than one device; "": it does not.
func (c Command) opens() string {
	if len(c.Words) < 3 || c.Words[0] != "sysctl" {
		return ""
	}
	key, _, _ := strings.Cut(c.Words[len(c.Words)-1], "=")
	all := strings.Contains(key, ".conf.all.")
	switch {
	case key == "net.ipv4.ip_forward", all && strings.HasSuffix(key, ".forwarding"):
		return "between all devices"
	case all, strings.Contains(key, ".default."), !strings.Contains(key, ".conf."):
		return "for all devices"
	}
	return ""
}

// lasts says how long the change of a command lasts; "": it changes more than the running kernel, or nothing.
func (c Command) lasts() string {
	words := slices.DeleteFunc(slices.Clone(c.Words), func(w string) bool { return w == "-4" || w == "-6" })
	if len(words) < 3 {
		return ""
	}
	switch object, verb := words[1], words[2]; words[0] {
	case "sysctl":
		return untilFile
	case "ip":
		return lastsInIP(object, verb, words[3:])
	case "bridge":
		if slices.Contains(words, "self") {
			return untilDeleted
		}
		return changes(verb, untilPort, untilAgain)
	case "tc":
		return changes(verb, untilDeleted, untilAgain)
	case "nft":
		if object == "list" {
			return ""
		}
		return untilRuleset
	}
	return ""
}

// lastsInIP says how long a change by ip(8) lasts.
func lastsInIP(object, verb string, rest []string) string {
	switch object {
	case "route", "neigh":
		return changes(verb, untilDown, untilAgain)
	case "rule":
		return changes(verb, untilBoot, untilAgain)
	case "xfrm":
		return untilIPsec
	case "addr":
		return changes(verb, untilDeleted, untilAgain)
	case "link":
		if slices.ContainsFunc(rest, func(w string) bool { return strings.HasPrefix(w, "xdp") }) {
			return untilAgain
		}
		return changes(verb, untilDeleted, untilAgain)
	}
	return ""
}

// changes returns one of two texts for a verb that adds or removes; "": it only shows, or removes what the kernel has
// learned.
func changes(verb, adds, removes string) string {
	switch verb {
	case "add", "append", "change", "replace", "set":
		return adds
	case "del":
		return removes
	}
	return ""
}
