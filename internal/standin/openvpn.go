package standin

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
)

// openvpn is openvpn(8) with --mktun and --rmtun.
var openvpn = &Tool{
	Name: "openvpn", line: "openvpn --mktun", marks: []string{"mktun", "rmtun"}, Parse: parseOpenvpn, Exit: exitsOne,
}

// An openvpnLine holds the options of a line.
type openvpnLine struct {
	make, remove bool
	values       map[string]string // values of the options in openvpnDevice
	daemon, mute bool              // no output: --daemon, or a last --verb 0
	ignored      []string
}

// openvpnDevice are the options of the device. Each has one value; tun-mtu may have two.
var openvpnDevice = []string{"dev", "dev-type", "dev-node", "user", "group", "lladdr", "txqueuelen", "tun-mtu"}

// openvpnRunning are options that --mktun refuses.
var openvpnRunning = []string{"ifconfig", "secret", "tls-server", "tls-client"}

// openvpnOther are options that ask for another operation, or read more options from a file.
var openvpnOther = []string{"config", "genkey", "help", "version"}

func openvpnRefusal(format string, args ...any) *Refusal { return refuse(1, format, args...) }

func parseOpenvpn(words []string) (*Request, error) {
	line, err := readOpenvpn(words)
	if err != nil {
		return nil, err
	}
	r := &Request{take: true, Silent: line.daemon || line.mute}
	if line.remove {
		r.Ask = Delete
	}
	if err := r.setNode(line.value("dev-node")); err != nil {
		return nil, openvpnRefusal("--dev-node: %v", err)
	}
	if err := line.device(r); err != nil {
		return nil, err
	}
	if len(line.ignored) > 0 {
		r.Notes = append(r.Notes, "ignored, because it applies only to a running VPN: "+strings.Join(line.ignored, " "))
	}
	if err := line.properties(r); err != nil {
		return nil, err
	}
	said := []string{"Persist state set to: ON"}
	if line.remove {
		said = []string{"Persist state set to: OFF"}
	} else if r.Spec.MAC != nil {
		said = append(said, "TUN/TAP link layer address set to "+line.values["lladdr"])
	}
	r.say = func(d Done) string {
		return stamped(append([]string{"TUN/TAP device " + d.Name + " opened"}, said...)...)
	}
	return r, nil
}

// value returns the value of an option, or nil if it is not given.
func (l *openvpnLine) value(option string) *string {
	if text, given := l.values[option]; given {
		return &text
	}
	return nil
}

// readOpenvpn reads the options, each with the values after it.
func readOpenvpn(words []string) (*openvpnLine, error) {
	line := &openvpnLine{values: map[string]string{}}
	for i := 0; i < len(words); {
		option, ok := strings.CutPrefix(words[i], "--")
		if !ok {
			return nil, openvpnRefusal("%q is not an option: options begin with --", words[i])
		}
		end := i + 1
		for end < len(words) && !strings.HasPrefix(words[end], "--") {
			end++
		}
		if err := line.option(option, words[i+1:end]); err != nil {
			return nil, err
		}
		i = end
	}
	if !line.make && !line.remove {
		r := openvpnRefusal("neither --mktun nor --rmtun is given: tunadm supports only these")
		r.foreign = true
		return nil, r
	}
	return line, nil
}

// option reads one option with its values.
func (l *openvpnLine) option(name string, values []string) error {
	most, known := 1, strings.Fields(openvpnOptions)
	if name == "tun-mtu" {
		most = 2
	}
	switch {
	case name == "mktun" || name == "rmtun":
		if len(values) > 0 {
			return openvpnRefusal("--%s takes no value", name)
		}
		l.make, l.remove = name == "mktun", name == "rmtun"
	case slices.Contains(openvpnDevice, name):
		if len(values) == 0 || len(values) > most {
			return openvpnRefusal("--%s takes one value, not %d", name, len(values))
		}
		l.values[name] = values[0]
	case name == "daemon" && len(values) <= 1:
		l.daemon = true
	case name == "verb":
		if len(values) != 1 {
			return openvpnRefusal("--verb takes one value, not %d", len(values))
		}
		l.mute = !positive().MatchString(values[0])
	case slices.Contains(openvpnRunning, name):
		return openvpnRefusal("--%s cannot be combined with --mktun or --rmtun", name)
	case slices.Contains(openvpnOther, name) || strings.HasPrefix(name, "show-"):
		return openvpnRefusal("--%s is not supported: tunadm supports only --mktun and --rmtun", name)
	case slices.Contains(known, name):
		l.ignored = append(l.ignored, "--"+name)
	default:
		r := openvpnRefusal("unknown option %q", "--"+name)
		if near := words.Nearest(name, append([]string{"mktun", "rmtun"}, openvpnDevice...)); near != "" {
			r.Hint = "did you mean --" + near + "?"
		}
		return r
	}
	return nil
}

// positive matches the values of --verb with which openvpn prints. It reads the leading digits of any text.
var positive = words.Pattern(`^\s*\+?0*[1-9]`)

// device sets the name and the mode of the request.
func (l *openvpnLine) device(r *Request) error {
	name, named := l.values["dev"]
	kind, typed := l.values["dev-type"]
	if !named {
		return openvpnRefusal("--dev is missing")
	}
	r.Spec.Mode = link.ModeOf(name)
	if typed {
		var err error
		if r.Spec.Mode, err = link.ParseMode(kind); err != nil {
			return openvpnRefusal("--dev-type: %v", err)
		}
	}
	if r.Spec.Mode == 0 {
		e := openvpnRefusal("%q begins with neither tun nor tap", name)
		e.Hint = "--dev-type tun, or --dev-type tap"
		return e
	}
	if name == "tun" || name == "tap" {
		name = ""
	}
	if err := r.name(name, link.CheckTemplate); err != nil {
		return openvpnRefusal("--dev: %v", err)
	}
	return nil
}

// properties sets the other properties of the request. They must be valid for --rmtun too, which does not use them.
func (l *openvpnLine) properties(r *Request) error {
	single := false
	r.Spec.MultiQueue, r.Spec.OneQueue = &single, true
	if l.remove {
		r.Spec.MultiQueue = nil
	}
	r.Access = users.Names{User: l.value("user"), Group: l.value("group")}
	if text := l.value("lladdr"); text != nil {
		mac, err := parseLinkAddress(*text)
		switch {
		case err != nil:
			return openvpnRefusal("--lladdr: %v", err)
		case r.Spec.Mode == link.TUN:
			r.Notes = append(r.Notes, "--lladdr is ignored: a tun has no link-layer address")
		default:
			r.Spec.MAC = mac
		}
	}
	var err error
	if r.Spec.TxQueueLen, err = l.number("txqueuelen", 0, math.MaxInt32); err == nil {
		r.Spec.MTU, err = l.number("tun-mtu", link.MTUMin, link.MTUMax)
	}
	if err == nil && r.Spec.TxQueueLen != nil && *r.Spec.TxQueueLen == 0 { // 0 asks for the kernel's default
		r.Spec.TxQueueLen = nil
	}
	return err
}

// parseLinkAddress reads six bytes of one or two digits each, separated by colons.
func parseLinkAddress(text string) (link.MAC, error) {
	parts := strings.Split(text, ":")
	for i, part := range parts {
		if len(part) == 1 {
			parts[i] = "0" + part
		}
	}
	if len(parts) != 6 {
		return nil, fmt.Errorf("%q is not six bytes separated by colons", text)
	}
	return link.ParseMAC(strings.Join(parts, ":"))
}

// number returns the value of an option, or nil if it is not given.
func (l *openvpnLine) number(option string, least, most int) (*int, error) {
	text := l.value(option)
	if text == nil {
		return nil, nil
	}
	n, err := strconv.Atoi(*text)
	if err != nil || n < least || n > most {
		return nil, openvpnRefusal("--%s: %q is not a number from %d to %d", option, *text, least, most)
	}
	return &n, nil
}

// stamped puts the date before each line, as openvpn does since 2.5.
func stamped(lines ...string) string {
	var b strings.Builder
	now := time.Now().Format(time.DateTime)
	for _, line := range lines {
		fmt.Fprintf(&b, "%s %s\n", now, line)
	}
	return b.String()
}
