package standin

import (
	"os"
	"strconv"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// tunctl is the program of uml-utilities, with the two additional options of version 1.5.
var tunctl = &Tool{
	Name: "tunctl", aliases: []string{"vde_tunctl", "VBoxTunctl"}, line: "tunctl", Parse: parseTunctl, Exit: exitsOne,
}

func tunctlRefusal(format string, args ...any) error {
	r := refuse(1, format, args...)
	r.Hint = "tunctl [-b] [-n|-p] [-u OWNER] [-g GROUP] [-t NAME] [-f NODE], or tunctl -d NAME"
	return r
}

// A tunctlLine holds the options of a line. A nil value is not given.
type tunctlLine struct {
	name               string
	owner, group, node *string
	brief, remove, tun bool
}

func parseTunctl(words []string) (*Request, error) {
	line, err := readTunctl(words)
	if err != nil {
		return nil, err
	}
	r := &Request{take: true, Spec: netcfg.Spec{Mode: link.TAP}}
	if line.tun {
		r.Spec.Mode = link.TUN
	}
	if err := line.access(r); err != nil {
		return nil, err
	}
	if line.remove {
		r.Ask = Delete
		r.say = func(d Done) string { return "Set '" + d.Name + "' nonpersistent\n" }
	} else {
		single := false
		r.Spec.MultiQueue = &single
		r.brief = line.brief
		r.say = line.owned
		if r.Ownerless() {
			r.caller = true
			owner := strconv.Itoa(os.Geteuid())
			r.Access.User = &owner
		}
	}
	if err := r.setNode(line.node); err != nil {
		return nil, tunctlRefusal("-f: %v", err)
	}
	if err := r.name(line.name, link.CheckTemplate); err != nil {
		return nil, tunctlRefusal("%v", err)
	}
	return r, nil
}

// readTunctl reads the options in any order, clustered, and joined with their values.
func readTunctl(words []string) (line tunctlLine, err error) {
	values := map[byte]func(string){
		't': func(v string) { line.name = v },
		'd': func(v string) { line.name, line.remove = v, true },
		'u': func(v string) { line.owner = &v },
		'g': func(v string) { line.group = &v },
		'f': func(v string) { line.node = &v },
	}
	for i := 0; i < len(words); i++ {
		word := words[i]
		if word == "--" && i == len(words)-1 {
			break
		}
		if word == "--help" {
			word = "-h"
		}
		if len(word) < 2 || word[0] != '-' || word == "--" {
			return line, tunctlRefusal("%q is not an option: a name follows -t or -d", word)
		}
		for cluster := word[1:]; cluster != ""; {
			letter := cluster[0]
			cluster = cluster[1:]
			if set := values[letter]; set != nil {
				if cluster == "" {
					if i++; i == len(words) {
						return line, tunctlRefusal("-%c requires a value", letter)
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
	return line, nil
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
		return tunctlRefusal("-b prints only the name; -n is a tun; -p, the default, is a tap; NODE is /dev/net/tun")
	default:
		return tunctlRefusal("unknown option %q", "-"+string(rune(letter)))
	}
	return nil
}

// access sets the owner and the group of the request. It refuses those that strtol(3) would read as 0 or wrap around.
func (l *tunctlLine) access(r *Request) error {
	for _, id := range []struct {
		given  *string
		option string
		store  **string
	}{{l.owner, "-u", &r.Access.User}, {l.group, "-g", &r.Access.Group}} {
		if id.given == nil {
			continue
		}
		number, ok := idNumber(*id.given, 0)
		if !ok {
			return tunctlRefusal("%s %q: neither a name nor a number", id.option, *id.given)
		}
		*id.store = &number
	}
	return nil
}

// owned returns the output of tunctl for a device that was created or taken over.
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
