package standin

import (
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
)

// ip is the tuntap object of ip(8).
var ip = &Tool{Name: "ip", line: "ip tuntap", marks: []string{"tuntap"}, Parse: parseIP, Exit: ipExit}

// ipUsage is the exit code of ip(8) for a line with a usage error.
const ipUsage = 255

const ipHelp = `usage: ip [-n NETNS] [-d] [-j] [-p] [-o] tuntap [show]
       ip [-n NETNS] tuntap add|del mode tun|tap [dev NAME] [user USER] [group GROUP] [pi] [vnet_hdr] [multi_queue]`

// ipExit returns 255 for errors that ip(8) finds before it acts, otherwise 1.
func ipExit(c cause.Cause) int {
	if slices.Contains([]cause.Cause{cause.NoUser, cause.NoGroup, cause.BadRequest, cause.NoNamespace,
		cause.ForeignNamespace}, c) {
		return ipUsage
	}
	return 1
}

// abbreviates reports whether ip(8) accepts word for full. Of several matches ip(8) takes the first, so the order of
// comparisons matters.
func abbreviates(word, full string) bool { return word != "" && strings.HasPrefix(full, word) }

// An ipOption is an option before the object.
type ipOption struct {
	name  string
	exact bool                                 // no abbreviation is accepted
	value bool                                 // a value follows
	set   func(r *Request, value string) error // nil: the option has no effect here
}

// ipOptions are in the order in which ip(8) compares them.
var ipOptions = []ipOption{
	{name: "-loops", value: true},
	{name: "-family", value: true, set: checkFamily},
	{name: "-4", exact: true},
	{name: "-6", exact: true, set: func(r *Request, _ string) error { r.six = true; return nil }},
	{name: "-0", exact: true}, {name: "-M", exact: true},
	{name: "-B", exact: true},
	{name: "-human-readable"}, {name: "-iec"}, {name: "-statistics"},
	{name: "-details", set: func(r *Request, _ string) error { r.Format.details = true; return nil }},
	{name: "-resolve"},
	{name: "-oneline", set: func(r *Request, _ string) error { r.Format.oneLine = true; return nil }},
	{name: "-timestamp"}, {name: "-tshort"},
	{name: "-Version", set: notHere}, {name: "-force"}, {name: "-batch", value: true, set: notHere}, {name: "-brief"},
	{name: "-json", set: func(r *Request, _ string) error { r.Format.json = true; return nil }},
	{name: "-pretty", set: func(r *Request, _ string) error { r.Format.pretty = true; return nil }},
	{name: "-rcvbuf", value: true}, {name: "-color"},
	{name: "-help", set: func(*Request, string) error { return refuse(ipUsage, ipHelp) }},
	{name: "-netns", value: true, set: setNetns},
	{name: "-Numeric"}, {name: "-all"}, {name: "-echo", exact: true},
}

func checkFamily(r *Request, value string) error {
	r.six = value == "inet6"
	if !slices.Contains([]string{"inet", "inet6", "mpls", "bridge", "link"}, value) {
		return refuse(ipUsage, "-family: %q is not inet, inet6, mpls, bridge or link", value)
	}
	return nil
}

func notHere(*Request, string) error {
	return refuse(ipUsage, "tunadm supports only ip tuntap, not -batch or -Version")
}

func setNetns(r *Request, value string) error {
	if value == "" {
		return refuse(ipUsage, "-netns: the name is empty")
	}
	r.Netns = value
	return nil
}

// ipOptions reads the options before the object, and returns the words after them.
func (r *Request) ipOptions(words []string) ([]string, error) {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		if words[0] == "--" {
			return words[1:], nil
		}
		rest, err := r.ipOption(words)
		if err != nil {
			return nil, err
		}
		words = rest
	}
	return words, nil
}

func parseIP(words []string) (*Request, error) {
	r := &Request{}
	words, err := r.ipOptions(words)
	if err != nil {
		return nil, err
	}
	if len(words) == 0 || abbreviates(words[0], "help") {
		return nil, refuse(ipUsage, ipHelp)
	}
	if object := words[0]; !abbreviates(object, "tap") &&
		(len(object) < len("tunt") || !abbreviates(object, "tuntap")) || object == "t" {
		r := refuse(1, "%q is not tuntap: tunadm supports only ip tuntap", object)
		r.foreign = true
		return nil, r
	}
	return r, r.tuntap(words[1:])
}

// ipOption reads the first option with its value, and returns the words after it.
func (r *Request) ipOption(words []string) ([]string, error) {
	given := words[0]
	if strings.HasPrefix(given, "--") {
		given = given[1:]
	}
	bare, _, _ := strings.Cut(given, "=") // of -color=always
	i := slices.IndexFunc(ipOptions, func(o ipOption) bool {
		return given == o.name || !o.exact && (abbreviates(given, o.name) || o.name == "-color" &&
			abbreviates(bare, o.name))
	})
	if i < 0 {
		return nil, refuse(ipUsage, "unknown option %q", words[0])
	}
	option, value, rest := ipOptions[i], "", words[1:]
	if option.value {
		if len(rest) == 0 {
			return nil, refuse(ipUsage, "%s requires a value", option.name)
		}
		value, rest = rest[0], rest[1:]
	}
	if option.set == nil {
		return rest, nil
	}
	return rest, option.set(r, value)
}

// tuntap reads the words after the object.
func (r *Request) tuntap(words []string) error {
	command := "show"
	if len(words) > 0 {
		command, words = words[0], words[1:]
	}
	switch {
	case abbreviates(command, "add"):
		return r.ipDevice(words)
	case abbreviates(command, "delete"):
		r.Ask = Delete
		return r.ipDevice(words)
	case abbreviates(command, "show"), abbreviates(command, "lst"), abbreviates(command, "list"):
		r.Ask = Show
		return nil
	case abbreviates(command, "help"):
		return refuse(ipUsage, ipHelp)
	}
	return refuse(ipUsage, "%q is not add, del, show, list or help", command)
}

// An ipDevice reads the words after add and del.
type ipDevice struct {
	*Request
	words []string
	given string // the name
}

func (r *Request) ipDevice(words []string) error {
	d := &ipDevice{Request: r, words: words}
	for len(d.words) > 0 {
		if err := d.word(); err != nil {
			return err
		}
	}
	if r.Spec.Mode == 0 {
		return refuse(1, "the mode is missing: mode tun or mode tap")
	}
	if err := r.name(d.given, link.CheckTemplate); err != nil {
		return refuse(1, "%v", err)
	}
	return nil
}

// word reads one word and its value. The command del has no owners: there, user and group are device names.
func (d *ipDevice) word() error {
	word := d.words[0]
	d.words = d.words[1:]
	add := d.Ask == Add
	switch {
	case abbreviates(word, "mode"):
		return d.value(d.mode)
	case add && abbreviates(word, "user"):
		return d.value(func(v string) error { return setID(&d.Access.User, v) })
	case add && abbreviates(word, "group"):
		return d.value(func(v string) error { return setID(&d.Access.Group, v) })
	case abbreviates(word, "pi"):
		d.Spec.PI = true
	case abbreviates(word, "one_queue"):
		d.Spec.OneQueue = true
	case abbreviates(word, "vnet_hdr"):
		d.Spec.VnetHdr = true
	case abbreviates(word, "multi_queue"):
		multi := true
		d.Spec.MultiQueue = &multi
	case abbreviates(word, "dev"):
		return d.value(d.device)
	case abbreviates(word, "name"):
		return d.value(d.bareName)
	case abbreviates(word, "help"):
		return refuse(ipUsage, ipHelp)
	default:
		return d.bareName(word)
	}
	return nil
}

func (d *ipDevice) value(set func(string) error) error {
	if len(d.words) == 0 {
		return refuse(ipUsage, "the last word requires a value")
	}
	value := d.words[0]
	d.words = d.words[1:]
	return set(value)
}

func (d *ipDevice) mode(value string) error {
	mode := link.TUN
	switch {
	case abbreviates(value, "tun"):
	case abbreviates(value, "tap"):
		mode = link.TAP
	default:
		return refuse(ipUsage, "mode: %q is neither tun nor tap", value)
	}
	if d.Spec.Mode != 0 && d.Spec.Mode != mode {
		return refuse(ipUsage, "two modes were given: tun and tap")
	}
	d.Spec.Mode = mode
	return nil
}

func (d *ipDevice) device(name string) error {
	if name == "" || len(name) > link.NameMax || strings.ContainsAny(name, "/ \t\n\v\f\r") {
		return refuse(ipUsage, "%q is not a device name", name)
	}
	d.given = name
	return nil
}

func (d *ipDevice) bareName(name string) error {
	if d.given != "" {
		return refuse(ipUsage, "two device names were given: %q and %q", d.given, name)
	}
	return d.device(name)
}

func setID(id **string, value string) error {
	number, ok := idNumber(value, 10)
	if !ok {
		return refuse(ipUsage, "%q is neither a name nor a number", value)
	}
	*id = &number
	return nil
}
