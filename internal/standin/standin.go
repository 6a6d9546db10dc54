// Package standin emulates the command lines and the output of tunctl, openvpn --mktun and ip tuntap. It changes
// nothing itself: a line becomes a [Request], which the commands run through the engine.
package standin

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// A Tool is an emulated program.
type Tool struct {
	Name    string
	aliases []string
	line    string   // the words with which the emulated lines begin
	marks   []string // the words of such a line in any form; nil: its names

	Parse func(words []string) (*Request, error) // reads the words after the tool's name; the error is a [*Refusal]
	Exit  func(cause.Cause) int                  // returns the tool's exit code for an error
}

// tools returns the emulated programs.
func tools() []*Tool { return []*Tool{tunctl, openvpn, ip} }

// Names returns the names of the tools as a phrase: "tunctl, openvpn and ip".
func Names() string {
	return enumerate(" and ", func(t *Tool) string { return t.Name })
}

// Lines returns the emulated lines as a phrase: "tunctl, openvpn --mktun or ip tuntap".
func Lines() string {
	return enumerate(" or ", func(t *Tool) string { return t.line })
}

// enumerate joins a text about each tool.
func enumerate(last string, text func(*Tool) string) string {
	var all []string
	for _, t := range tools() {
		all = append(all, text(t))
	}
	n := len(all) - 1
	return strings.Join(all[:n], ", ") + last + all[n]
}

// Find returns the tool of that name, or nil. A path before the name is ignored.
func Find(name string) *Tool {
	name = name[strings.LastIndexByte(name, '/')+1:]
	for _, t := range tools() {
		if t.Name == name || slices.Contains(t.aliases, name) {
			return t
		}
	}
	return nil
}

// Named reports whether a link to tunadm of that name acts as the tool. Only tunctl does, under all its names, because
// openvpn and ip do much more than tunadm emulates.
func Named(name string) bool { return Find(name) == tunctl }

// Ask is the operation of a line.
type Ask uint8

// The operations.
const (
	Add     Ask = iota
	Delete      // the device of the Spec's name
	Show        // as ip tuntap show
	Nothing     // delete a device without a name: the other tools create one and remove it again
)

// A Request is a line of another tool in the terms of this program.
type Request struct {
	Ask    Ask
	Netns  string // a name of ip-netns(8), or a path; "": the current network namespace
	Node   string // the driver's node; "": the usual one
	Spec   netcfg.Spec
	Access users.Names // zero: anyone may attach; a Delete only checks that they exist
	take   bool        // an Add of an existing device takes it over
	Format Format      // the format of a Show
	Notes  []string    // the differences that the caller should know
	caller bool        // the line names no owner, so the owner is the invoking user, usually root
	brief  bool        // the output is only the name, as with add
	Silent bool        // the line asks for no output but errors
	six    bool        // -6 of ip(8)
	say    func(Done) string
}

// Done is the result of an Add or a Delete.
type Done struct {
	Name   string // the name that the kernel chose
	Access users.Access
}

// Say returns the standard output of the tool for the result.
func (r *Request) Say(d Done) string {
	if r.say == nil || r.Silent {
		return ""
	}
	return r.say(d)
}

// Change returns an Add or a Delete for the engine, and the access, by number, that an Add asks for. The error is an
// [*cause.Error].
func (r *Request) Change() (netcfg.Change, users.Access, error) {
	c := netcfg.Change{Name: r.Spec.Name, Expect: netcfg.PresentOrNot}
	var directory users.Directory
	access, err := directory.Access(r.Access)
	if err != nil {
		return c, users.Access{}, err
	}
	if r.Ask == Delete {
		c.Like = &netcfg.Spec{Mode: r.Spec.Mode, MultiQueue: r.Spec.MultiQueue}
		return c, users.Access{}, nil
	}
	want := r.Spec
	if want.Access = access; access == nil {
		want.Access = &users.Access{}
	}
	if c.Want = &want; r.take {
		want.Keep, c.Unused = true, true
	} else {
		c.Expect = netcfg.Absent
	}
	return c, *want.Access, nil
}

// Ownerless reports whether the line asks for a device without an owner and a group.
func (r *Request) Ownerless() bool { return r.Ask == Add && r.Access == users.Names{} }

// A Refusal is the error of a line that is invalid or not supported.
type Refusal struct {
	Text, Hint string
	Exit       int  // the old tool's exit code
	foreign    bool // the line has nothing to do with TUN/TAP devices
}

func (r *Refusal) Error() string { return r.Text }

// refuse returns a refusal with the tool's exit code.
func refuse(exit int, format string, args ...any) *Refusal {
	return &Refusal{Text: fmt.Sprintf(format, args...), Exit: exit}
}

// exitsOne returns the exit code of a tool that has only 0 and 1.
func exitsOne(cause.Cause) int { return 1 }

// name sets the device name of the request. Without one, the kernel chooses it.
func (r *Request) name(name string, check func(string) error) error {
	if r.Ask == Delete && (name == "" || link.IsTemplate(name)) {
		r.Ask = Nothing
		return nil
	}
	if name == "" {
		name = r.Spec.Mode.String() + "%d"
	}
	if err := check(name); err != nil {
		return fmt.Errorf("%q is not a device name: %w", name, err)
	}
	r.Spec.Name = name
	return nil
}

// setNode sets the driver's node of the request, if one is given.
func (r *Request) setNode(node *string) error {
	if node == nil {
		return nil
	}
	if *node == "" {
		return errors.New("the path is empty")
	}
	r.Node = *node
	return nil
}

// idNumber returns, in decimal, a UID or GID that strtol(3) reads in that base. Any other text is a name and is
// returned unchanged. It is not ok if it would later be read as another number.
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
