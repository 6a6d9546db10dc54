package commands

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/netcfg"
)

var asVerb = verb{
	name: "as", operands: "OLD-COMMAND...", verbatim: true,
	usage: "do what a line of tunctl, openvpn --mktun or ip tuntap does",
	flags: func(p *program) []cli.Flag {
		return []cli.Flag{boolFlag("explain", "print the tunadm line that does the same; without a line, translate a script on standard input", &p.explain)}
	},
	run: (*program).as,
}

// An oldError is an error with the exit code that the old tool has for it.
type oldError struct {
	error
	code int
}

func (e *oldError) Unwrap() error { return e.error }

// as does an old tool's line, with its words on standard output and its exit code.
func (p *program) as(words []string) error {
	switch {
	case p.explain:
		return p.explainOld(words)
	case len(words) == 0:
		return &usageError{text: "no line to do", hint: "tunadm as tunctl -t tap0 -u root"}
	}
	tool := standin.Find(words[0])
	if tool == nil {
		return &usageError{text: quote(words[0]) + " is no tool that tunadm stands in for", hint: "these are tunctl, openvpn and ip"}
	}
	p.verb += " " + tool.Name
	r, err := tool.Parse(words[1:])
	if err == nil {
		err = p.standIn(r)
	}
	var old []error
	for _, one := range each(err) {
		old = append(old, inOldWords(tool, one))
	}
	return errors.Join(old...)
}

// inOldWords gives an error the old tool's exit code.
func inOldWords(tool *standin.Tool, err error) error {
	if refusal := new(standin.Refusal); errors.As(err, &refusal) {
		return &oldError{&usageError{refusal.Text, refusal.Hint}, refusal.Exit}
	}
	cause := netcfg.Unknown
	if e := new(netcfg.Error); errors.As(err, &e) {
		cause = e.Cause
	}
	return &oldError{err, tool.Exit(cause)}
}

func (p *program) standIn(r *standin.Request) error {
	for _, note := range r.Notes {
		p.say(note)
	}
	p.netns, p.node = r.Netns, r.Node
	switch r.Ask {
	case standin.Show:
		return p.showOld(r.Format)
	case standin.Nothing:
		p.say("no device is named, and none is deleted")
		return nil
	}
	change, access, err := r.Change()
	if err != nil {
		return err
	}
	told := false
	say := func(name string) error {
		if told {
			return nil
		}
		told = true
		_, err := io.WriteString(p.stdout, r.Say(standin.Done{Name: name, Access: access}))
		return err
	}
	results, err := p.announce([]netcfg.Change{change}, func(names []string) error { return say(names[0]) })
	if err != nil {
		return err
	}
	name := results[0].Name
	switch {
	case r.Ask == standin.Delete && results[0].Before == 0:
		p.sayOf(name, "there is no such device, and nothing to delete")
	case r.Ownerless() && results[0].Created:
		p.sayOf(name, "every user who can open /dev/net/tun may attach, since the line names neither a user nor a group")
	}
	return say(name)
}

// showOld prints what ip tuntap show prints.
func (p *program) showOld(format standin.Format) error {
	ns, err := netcfg.Open(p.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	devices, err := ns.Devices()
	if err != nil {
		return err
	}
	shown := make([]standin.Shown, len(devices))
	for i, d := range devices {
		shown[i] = standin.Shown{Device: d, Stored: ns.StoredFlags(d)}
	}
	_, err = io.WriteString(p.stdout, format.Render(shown))
	return err
}

// explainOld prints the tunadm line for an old one, given as words or as one text, or translates a script.
func (p *program) explainOld(words []string) error {
	switch {
	case len(words) == 0:
		script, err := io.ReadAll(os.Stdin)
		if err == nil {
			_, err = io.WriteString(p.stdout, standin.Translate(string(script)))
		}
		return err
	case len(words) == 1 && strings.ContainsAny(words[0], " \t\n"):
		to := standin.Translate(words[0])
		if why, left := strings.CutPrefix(to, standin.LeftAlone); left {
			why, _, _ = strings.Cut(why, "\n")
			return usagef("%s", why)
		}
		_, err := fmt.Fprintln(p.stdout, strings.TrimSuffix(to, "\n"))
		return err
	}
	to, err := standin.Explain(words, netcfg.Word)
	if refusal := new(standin.Refusal); errors.As(err, &refusal) {
		return &usageError{refusal.Text, refusal.Hint}
	}
	for _, note := range to.Notes {
		p.say(note)
	}
	_, err = fmt.Fprintln(p.stdout, to.Line)
	return err
}
