// Package standin understands the command lines of the tools that tunadm stands in for, and knows what they say when it is done.
// It does nothing itself: a line becomes a [Request], which the commands put through the engine.
package standin

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// A Tool is a program whose command lines are understood.
type Tool struct {
	Name    string
	aliases []string
	Parse   func(words []string) (*Request, error) // of the words behind the tool's name; the error is a [*Refusal]
	Exit    func(netcfg.Cause) int                 // the tool's exit code for what could not be done
}

// Tools are the programs that tunadm stands in for.
func Tools() []*Tool { return []*Tool{tunctl, openvpn, ip} }

// Find is the tool of that name, or nil. A path before the name does not matter.
func Find(name string) *Tool {
	name = name[strings.LastIndexByte(name, '/')+1:]
	for _, t := range Tools() {
		if t.Name == name || slices.Contains(t.aliases, name) {
			return t
		}
	}
	return nil
}

// Named says whether a link to tunadm of that name is the tool itself: tunctl, whatever it is called. Openvpn and ip do much more
// than tunadm stands in for.
func Named(name string) bool { return Find(name) == tunctl }

// Ask is what a line wants done.
type Ask uint8

// What a line wants.
const (
	Add     Ask = iota
	Delete      // the device of the Spec's name
	Show        // as ip tuntap show
	Nothing     // it deletes no device that it names, which the old tools do by making one and letting it go
)

// A Request is an old line in this program's terms.
type Request struct {
	Ask    Ask
	Netns  string // a name of ip-netns(8), or a path; "": where it runs
	Node   string // of the driver; "": where it always is
	Spec   netcfg.Spec
	Access netcfg.AccessNames // none of the three is ownerless; a Delete only looks whether they exist
	Take   bool               // an Add of a device that is there takes it over
	Format Format             // of a Show
	Notes  []string           // what the caller should know
	caller bool               // the owner is the caller, since the line names nobody: root, as a rule, to whom add gives a device too
	brief  bool               // it prints the name alone, as add does
	say    func(Done) string
}

// Done is what became of an Add or a Delete.
type Done struct {
	Name   string // the kernel's
	Access netcfg.Access
}

// Say is what the old tool prints on standard output then.
func (r *Request) Say(d Done) string {
	if r.say == nil {
		return ""
	}
	return r.say(d)
}

// Change is an Add or a Delete for the engine, and the access that an Add asks for by number. The error is an [*netcfg.Error].
func (r *Request) Change() (netcfg.Change, netcfg.Access, error) {
	c := netcfg.Change{Name: r.Spec.Name, Expect: netcfg.PresentOrNot}
	var directory netcfg.Directory
	access, err := directory.Access(r.Access)
	if err != nil {
		return c, netcfg.Access{}, err
	}
	if r.Ask == Delete {
		c.Like = &netcfg.Spec{Mode: r.Spec.Mode, MultiQueue: r.Spec.MultiQueue}
		return c, netcfg.Access{}, nil
	}
	want := r.Spec
	if want.Access = access; access == nil {
		want.Access = &netcfg.Access{}
	}
	if c.Want = &want; r.Take {
		want.Keep, c.Unused = true, true
	} else {
		c.Expect = netcfg.Absent
	}
	return c, *want.Access, nil
}

// Ownerless says whether the line asks for a device that nobody in particular owns.
func (r *Request) Ownerless() bool { return r.Ask == Add && r.Access == netcfg.AccessNames{} }

// A Refusal is a line that is not understood, or not done.
type Refusal struct {
	Text, Hint string
	Exit       int  // the old tool's exit code
	foreign    bool // the line is about something else than TUN/TAP devices
}

func (r *Refusal) Error() string { return r.Text }

func refuse(exit int, format string, args ...any) *Refusal {
	return &Refusal{Text: fmt.Sprintf(format, args...), Exit: exit}
}

// exitsOne are the exit codes of a tool that knows success and 1.
func exitsOne(netcfg.Cause) int { return 1 }

// name puts a device's name into the request. One that is left out is the kernel's to choose.
func (r *Request) name(name string, check func(string) error) error {
	if r.Ask == Delete && (name == "" || netcfg.IsTemplate(name)) {
		r.Ask = Nothing
		return nil
	}
	if name == "" {
		name = r.Spec.Mode.String() + "%d"
	}
	if err := check(name); err != nil {
		return fmt.Errorf("%q is no device name: %w", name, err)
	}
	r.Spec.Name = name
	return nil
}

// setNode puts the driver's node into the request, if one is given.
func (r *Request) setNode(node *string) error {
	if node == nil {
		return nil
	}
	if *node == "" {
		return errors.New("an empty path is no node")
	}
	r.Node = *node
	return nil
}

// idNumber is a user or group number as strtol(3) reads it in that base, in decimal; any other text stays as it is, for a name. It is
// not ok where it would be read as another number later.
func idNumber(text string, base int) (number string, ok bool) {
	digits := strings.TrimLeft(text, " \t\n\v\f\r")
	digits = strings.TrimPrefix(digits, "+")
	if base == 0 {
		base = 10
		switch lower := strings.ToLower(digits); {
		case strings.HasPrefix(lower, "0x"):
			base, digits = 16, digits[2:]
		case strings.HasPrefix(lower, "0"):
			base = 8
		}
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil {
		return text, text != "" && text[0] != '-' && strings.Trim(text, "0123456789") != ""
	}
	return strconv.FormatUint(n, 10), true
}
