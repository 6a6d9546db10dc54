// Package fix has commands and sentences that tell the reader how to correct an error or a finding.
package fix

import (
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/netns"
	"github.com/tunadm/tunadm/internal/words"
)

// A Fix is how to correct an error or a finding: commands that run one after the other, a sentence, or both. The zero
// Fix is none. Only String and Lines convert it into text.
type Fix struct {
	Before   string // printed before the commands; without commands, the whole sentence
	Commands []Command
	After    string // printed right after the last command, with its punctuation

	askRoot bool // the reader lacks the rights to run the commands
}

// A Command is one command line of a fix.
type Command struct {
	Words     []string // the program and its arguments, not quoted
	Output    string   // the file that receives the output; "": none
	root      bool     // requires root, or CAP_NET_ADMIN
	Namespace bool     // acts on the network namespace that it runs in
}

// Sentence returns a fix that is a sentence, without a command.
func Sentence(text string) Fix { return Fix{Before: text} }

// Run returns a fix that is a list of commands.
func Run(commands ...Command) Fix { return Fix{Commands: commands} }

// ByRoot returns a command that requires root, and acts on the whole machine.
func ByRoot(words ...string) Command { return Command{Words: words, root: true} }

// InNamespace returns a command that requires root, and acts on the network namespace.
func InNamespace(words ...string) Command { return Command{Words: words, root: true, Namespace: true} }

// Tunadm returns a command of this program that requires root. A device name that begins with a hyphen comes after the
// flags and "--". An empty name is left out.
func Tunadm(verb, device string, flags ...string) Command {
	words := []string{"tunadm", verb}
	switch {
	case device == "":
		words = append(words, flags...)
	case strings.HasPrefix(device, "-"):
		words = append(append(words, flags...), "--", device)
	default:
		words = append(append(words, device), flags...)
	}
	return Command{Words: words, root: verb != "doctor", Namespace: !slices.Contains(flags, "--netns")}
}

// askRoot comes before the commands of a fix, for a reader who lacks the rights to run them.
const askRoot = "ask root for: "

// IsZero reports whether there is no fix.
func (f Fix) IsZero() bool { return f.Before == "" && len(f.Commands) == 0 && f.After == "" }

// String returns the fix as one line for a shell, or as a sentence.
func (f Fix) String() string {
	lines := make([]string, len(f.Commands))
	for i, c := range f.Commands {
		lines[i] = c.String()
	}
	text := f.Before + strings.Join(lines, " && ") + f.After
	if f.askRoot && f.Before == "" {
		return askRoot + text
	}
	return text
}

// String returns the command quoted for a shell.
func (c Command) String() string {
	quoted := make([]string, len(c.Words))
	for i, word := range c.Words {
		quoted[i] = words.Quote(word)
	}
	line := strings.Join(quoted, " ")
	if c.Output != "" {
		line += " >" + words.Quote(c.Output)
	}
	return line
}

// Then returns the fix followed by another one, if f is what must come first. Without f, its place has the sentence
// otherwise.
func (f Fix) Then(next Fix, otherwise string) Fix {
	switch {
	case f.IsZero():
		return Sentence(otherwise + ", then run " + next.String())
	case len(f.Commands) == 0:
		return Sentence(f.Before + ", then run " + next.String())
	case f.Before != "":
		return f
	}
	f.Commands = slices.Concat(f.Commands, next.Commands)
	return f
}

// Distinct returns the fix without commands that repeat an earlier one.
func (f Fix) Distinct() Fix {
	var all []Command
	for _, c := range f.Commands {
		if !slices.ContainsFunc(all, func(o Command) bool { return o.String() == c.String() }) {
			all = append(all, c)
		}
	}
	f.Commands = all
	return f
}

// In returns the fix with its commands in a network namespace, named as --netns names it; "": the namespace of the
// reader.
func (f Fix) In(netns string) Fix {
	if netns == "" {
		return f
	}
	f.Commands = slices.Clone(f.Commands)
	for i, c := range f.Commands {
		if c.Namespace {
			f.Commands[i].Words = append(entering(netns), c.Words...)
		}
	}
	return f
}

// For returns the fix for a reader with or without the rights of root. A reader without them has to ask root for the
// commands.
func (f Fix) For(admin bool) Fix {
	f.askRoot = f.askRoot || !admin && slices.ContainsFunc(f.Commands, func(c Command) bool { return c.root })
	return f
}

// entering returns the words before a command that is to run in a network namespace: a path, a name of ip-netns(8), or
// a PID.
func entering(namespace string) []string {
	named := func() bool {
		_, err := os.Lstat(netns.Directory + "/" + namespace)
		return err == nil
	}
	switch {
	case strings.Contains(namespace, "/"):
		return []string{"nsenter", "--net=" + namespace}
	case strings.Trim(namespace, "0123456789") == "" && !named():
		return []string{"nsenter", "-t", namespace, "-n"}
	case strings.HasPrefix(namespace, "-"):
		return []string{"nsenter", "--net=" + netns.Directory + "/" + namespace}
	}
	return []string{"ip", "netns", "exec", namespace}
}

// HintOf returns the fix that an error carries, by a method Hint. The zero Fix: it carries none.
func HintOf(err error) Fix {
	var carrier interface{ Hint() Fix }
	if errors.As(err, &carrier) {
		return carrier.Hint()
	}
	return Fix{}
}

// Sysctl returns the command that sets a sysctl of a device. The family is ipv4 or ipv6.
func Sysctl(family, device, name, value string) Command {
	key := "net." + family + ".conf." + strings.ReplaceAll(device, ".", "/") + "." + name
	return InNamespace("sysctl", "-w", key+"="+value)
}
