package standin

import (
	"os"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// tunctl is the program of uml-utilities, with the two options more of its version 1.5.
var tunctl = &Tool{Name: "tunctl", aliases: []string{"vde_tunctl", "VBoxTunctl"}, Parse: parseTunctl, Exit: exitsOne}

const tunctlUsage = `usage:
  create: tunctl [-b] [-n|-p] [-u OWNER] [-g GROUP] [-t NAME] [-f NODE]
  delete: tunctl -d NAME [-n|-p] [-f NODE]
  -b prints the name alone; -n is a tun, -p, as without either, a tap; NODE is /dev/net/tun`

func tunctlRefusal(format string, args ...any) error {
	r := refuse(1, format, args...)
	r.Hint = "tunctl [-b] [-n|-p] [-u OWNER] [-g GROUP] [-t NAME] [-f NODE], or tunctl -d NAME"
	return r
}

// A tunctlLine is what getopt(3) finds in a line.
type tunctlLine struct {
	name, owner, group, node string
	hasOwner, hasGroup       bool
	brief, remove, tun       bool
}

func parseTunctl(words []string) (*Request, error) {
	line, err := readTunctl(words)
	if err != nil {
		return nil, err
	}
	mode := netcfg.TAP
	if line.tun {
		mode = netcfg.TUN
	}
	r := &Request{Take: true, Node: line.node, Spec: netcfg.Spec{Mode: mode}}
	if line.remove {
		r.Ask = Delete
		r.say = func(d Done) string { return "Set '" + d.Name + "' nonpersistent\n" }
	} else {
		single := false
		r.Spec.MultiQueue = &single
		r.Access = line.access()
		r.brief = line.brief
		r.caller = !line.hasOwner && !line.hasGroup
		r.say = line.owned
	}
	if err := r.name(line.name, netcfg.CheckTemplate); err != nil {
		return nil, tunctlRefusal("%v", err)
	}
	return r, nil
}

// readTunctl finds the options in any order, clustered, and joined with their values.
func readTunctl(words []string) (line tunctlLine, err error) {
	values := map[byte]func(string){
		't': func(v string) { line.name = v },
		'd': func(v string) { line.name, line.remove = v, true },
		'u': func(v string) { line.owner, line.hasOwner = v, true },
		'g': func(v string) { line.group, line.hasGroup = v, true },
		'f': func(v string) { line.node = v },
	}
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" && i == len(words)-1 {
			break
		}
		if word == "--help" {
			return line, refuse(1, tunctlUsage)
		}
		if len(word) < 2 || word[0] != '-' || word == "--" {
			return line, tunctlRefusal("%q is no option: a name stands behind -t or -d", word)
		}
		for cluster := word[1:]; cluster != ""; {
			letter := cluster[0]
			cluster = cluster[1:]
			if set := values[letter]; set != nil {
				if cluster == "" {
					if i++; i == len(words) {
						return line, tunctlRefusal("-%c needs a value", letter)
					}
					cluster = words[i]
				}
				set(cluster)
				break
			}
			if err := line.flag(letter); err != nil {
				return line, err
			}
		}
	}
	return line, line.check()
}

// flag reads an option without a value.
func (l *tunctlLine) flag(letter byte) error {
	switch letter {
	case 'b':
		l.brief = true
	case 'n':
		l.tun = true
	case 'p':
		l.tun = false
	case 'h':
		return refuse(1, tunctlUsage)
	default:
		return tunctlRefusal("unknown option %q", "-"+string(rune(letter)))
	}
	return nil
}

// check refuses owners that strtol(3) would take for user 0 or wrap around.
func (l *tunctlLine) check() error {
	for _, id := range []struct {
		given        bool
		value, which string
	}{{l.hasOwner, l.owner, "-u"}, {l.hasGroup, l.group, "-g"}} {
		if id.given && (id.value == "" || strings.HasPrefix(id.value, "-")) {
			return tunctlRefusal("%s %q: neither a name nor a number", id.which, id.value)
		}
	}
	return nil
}

// access is the caller's where the line names nobody.
func (l *tunctlLine) access() (names netcfg.AccessNames) {
	owner, group := idNumber(l.owner, 0), idNumber(l.group, 0)
	switch {
	case !l.hasOwner && !l.hasGroup:
		owner = strconv.Itoa(os.Geteuid())
		fallthrough
	case l.hasOwner:
		names.User = &owner
	}
	if l.hasGroup {
		names.Group = &group
	}
	return names
}

// owned are the words for a device that was made, or taken over.
func (l *tunctlLine) owned(d Done) string {
	if l.brief {
		return d.Name + "\n"
	}
	text := "Set '" + d.Name + "' persistent and owned by"
	if d.Access.User != nil {
		text += " uid " + strconv.FormatUint(uint64(d.Access.User.Number), 10)
	}
	if d.Access.Group != nil {
		text += " gid " + strconv.FormatUint(uint64(d.Access.Group.Number), 10)
	}
	return text + "\n"
}
