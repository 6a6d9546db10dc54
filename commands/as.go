package commands

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

var asVerb = verb{
	name: "as", page: "tunadm-as(8)", operands: "OLD-COMMAND...", verbatim: true, lasting: true,
	usage:   "run a command line of " + standin.Lines(),
	command: func(p *program) command { return &asOptions{program: p} },
}

type asOptions struct {
	*program
	explain bool
}

func (o *asOptions) flags() []*option {
	const usage = "print the equivalent tunadm command; without a command line, translate a script on standard input"
	return []*option{switchFlag("explain", usage, &o.explain)}
}

// run runs an old tool's command line. Standard output and the exit code are the old tool's.
func (o *asOptions) run(words []string) error {
	switch {
	case o.explain:
		return o.explainOld(words)
	case len(words) == 0:
		return usage("no command line is given", "tunadm as tunctl -t tap0 -u root")
	}
	tool := standin.Find(words[0])
	if tool == nil {
		return unsupported(words[0])
	}
	o.verb += " " + tool.Name
	r, err := tool.Parse(words[1:])
	if err == nil {
		err = o.standIn(r)
	}
	var old []error
	for _, one := range each(err) {
		old = append(old, o.withOldExit(tool, one))
	}
	return errors.Join(old...)
}

func unsupported(tool string) error {
	return usage(quote(tool)+" is not a supported tool", "supported tools are "+standin.Names())
}

// withOldExit gives an error the old tool's exit code.
func (o *asOptions) withOldExit(tool *standin.Tool, err error) error {
	if refusal := new(standin.Refusal); errors.As(err, &refusal) {
		return &exitError{code: refusal.Exit, err: o.refused(refusal)}
	}
	reason := cause.Unknown
	if e := new(cause.Error); errors.As(err, &e) {
		reason = e.Cause
	}
	return &exitError{code: tool.Exit(reason), err: err}
}

// refused returns the error for a line that is not supported; nil if it is the usage of the tool, which it prints.
func (o *asOptions) refused(r *standin.Refusal) error {
	if strings.HasPrefix(r.Text, "usage:") {
		fmt.Fprintln(o.stderr, r.Text)
		return nil
	}
	return usage(r.Text, r.Hint)
}

func (o *asOptions) standIn(r *standin.Request) error {
	o.quiet = r.Silent
	for _, note := range r.Notes {
		o.say(note)
	}
	switch r.Ask {
	case standin.Show:
		return o.showOld(r)
	case standin.Nothing:
		o.say("no device is named, none is deleted")
		return nil
	}
	change, access, err := r.Change()
	if err != nil {
		return err
	}
	ctx := o.signals()
	ns, err := netcfg.Open(r.Netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	if r.Node != "" {
		if err := ns.UseNode(r.Node); err != nil {
			return err
		}
	}
	printed := false
	print := func(name string) error {
		if printed {
			return nil
		}
		printed = true
		_, err := io.WriteString(o.stdout, r.Say(standin.Done{Name: name, Access: access}))
		return err
	}
	options := netcfg.Options{Announce: func(names []string) error { return print(names[0]) }}
	engine := changeOptions{program: o.program}
	results, err := engine.engage(ctx, ns, []netcfg.Change{change}, options)
	if err != nil {
		return err
	}
	name := results[0].Name
	switch {
	case r.Ask == standin.Delete && results[0].Before == 0:
		o.sayOf(name, "the device does not exist, nothing is deleted")
	case r.Ownerless() && results[0].Created:
		o.sayOf(name, "every user who can open /dev/net/tun may attach, because no user or group is given")
	}
	return print(name)
}

// showOld prints the output of ip tuntap show.
func (o *asOptions) showOld(r *standin.Request) error {
	ns, err := netcfg.Open(r.Netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	devices, err := ns.Summaries()
	if err != nil {
		return err
	}
	shown := make([]standin.Shown, len(devices))
	for i, d := range devices {
		shown[i] = standin.Shown{Device: d, Stored: ns.StoredFlags(d)}
	}
	_, err = io.WriteString(o.stdout, r.Format.Render(shown))
	return err
}

// explainOld prints the tunadm command for the command line of an old tool, which is given as words or as one text, or
// translates a script.
func (o *asOptions) explainOld(line []string) error {
	switch {
	case len(line) == 0:
		script, err := io.ReadAll(os.Stdin)
		if err == nil {
			_, err = io.WriteString(o.stdout, standin.Translate(string(script)))
		}
		return err
	case len(line) == 1 && strings.ContainsAny(line[0], " \t\n"):
		to := standin.Translate(line[0])
		if why, left := strings.CutPrefix(to, standin.LeftAlone); left {
			why, _, _ = strings.Cut(why, "\n")
			return usagef("%s", why)
		}
		if to == line[0] {
			return usagef("not a line of %s", standin.Lines())
		}
		_, err := fmt.Fprintln(o.stdout, strings.TrimSuffix(to, "\n"))
		return err
	}
	if standin.Find(line[0]) == nil {
		return unsupported(line[0])
	}
	to, err := standin.Explain(line, words.Quote)
	if refusal := new(standin.Refusal); errors.As(err, &refusal) {
		return &exitError{code: exitUsage, err: o.refused(refusal)}
	}
	for _, note := range to.Notes {
		o.say(note)
	}
	_, err = fmt.Fprintln(o.stdout, to.Line)
	return err
}
