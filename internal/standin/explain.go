package standin

import (
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
)

// driverNode is the driver's node, unless a line names another one.
const driverNode = "/dev/net/tun"

// explain returns the tunadm line for the request, or a refusal if there is none.
func (r *Request) explain(quote func(string) string) (string, error) {
	var words []string
	say := func(more ...string) {
		for _, word := range more {
			words = append(words, quote(word))
		}
	}
	switch {
	case r.Node != "" && r.Node != driverNode:
		return "", refuse(0, "tunadm opens the driver only at %s", driverNode)
	case strings.HasPrefix(r.Spec.Name, "-"):
		return "", refuse(0, "the name %q begins with -", r.Spec.Name)
	}
	switch r.Ask {
	case Nothing:
		return "", refuse(0, "the line names no device, so it deletes none")
	case Show:
		say(r.Format.verb()...)
	case Delete:
		say("delete", r.Spec.Name, "--mode", r.Spec.Mode.String(), "--if-exists")
	case Add:
		say("add")
		say(r.properties()...)
		if r.Silent {
			say("--quiet")
		}
	}
	if r.Netns != "" {
		say("--netns", r.Netns)
	}
	return "tunadm " + strings.Join(words, " "), nil
}

// verb returns the verb and the flag that print in about the same format.
func (f Format) verb() []string {
	switch {
	case f.json:
		return []string{"list", "--json"}
	case f.details:
		return []string{"show"}
	}
	return []string{"list"}
}

// properties returns the name and the flags of an add.
func (r *Request) properties() (words []string) {
	s := r.Spec
	if s.Name != s.Mode.String()+"%d" { // the name that add chooses by itself
		words = append(words, s.Name)
	}
	words = append(words, "--mode", s.Mode.String())
	value := func(flag string, given bool, text func() string) {
		if given {
			words = append(words, flag, text())
		}
	}
	number := func(flag string, n *int) { value(flag, n != nil, func() string { return strconv.Itoa(*n) }) }
	value("--user", r.Access.User != nil && !r.caller, func() string { return *r.Access.User })
	value("--group", r.Access.Group != nil, func() string { return *r.Access.Group })
	if s.Addresses != nil {
		for _, a := range *s.Addresses {
			words = append(words, "--address", a.Words())
		}
	}
	if s.Routes != nil {
		for _, r := range *s.Routes {
			words = append(words, "--route", r.String())
		}
	}
	number("--mtu", s.MTU)
	value("--mac", s.MAC != nil, s.MAC.String)
	number("--txqueuelen", s.TxQueueLen)
	value("--alias", s.Alias != nil, func() string { return *s.Alias })
	value("--master", s.Master != nil, func() string { return s.Master.Name })
	truth := func(flag string, on *bool) {
		value(flag, on != nil, func() string { return map[bool]string{true: "on", false: "off"}[*on] })
	}
	truth("--promisc", s.Promisc)
	truth("--multicast", s.Multicast)
	for _, flag := range []struct {
		set  bool
		word string
	}{
		{s.Up != nil && *s.Up, "--up"},
		{r.Ownerless(), "--anyone"},
		{s.MultiQueue != nil && *s.MultiQueue, "--multi-queue"}, {s.VnetHdr, "--vnet-hdr"},
		{s.PI, "--pi"},
		{r.take && !link.IsTemplate(s.Name), "--if-missing"},
	} {
		if flag.set {
			words = append(words, flag.word)
		}
	}
	return words
}

// An Explanation is the tunadm line for a line of another tool.
type Explanation struct {
	Line    string
	Notes   []string // the differences that the caller should know
	prints  bool     // Line prints the same as the line of the other tool
	request *Request
	prefix  string // the words before tunadm
}

// Explain returns the tunadm line for the words of a line. It quotes each word with quote. The error is a [*Refusal].
func Explain(words []string, quote func(string) string) (Explanation, error) {
	tool := Find(words[0])
	if tool == nil {
		return Explanation{}, refuse(0, "%q is not one of the emulated tools %s", words[0], Names())
	}
	r, err := tool.Parse(words[1:])
	if err != nil {
		return Explanation{}, err
	}
	line, err := r.explain(quote)
	return Explanation{Line: line, Notes: r.Notes, prints: r.brief, request: r}, err
}
