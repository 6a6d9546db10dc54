package convert

import (
	"maps"
	"slices"
)

// A shell runs the commands of a script on a [host], as far as it can tell with certainty what the script does at boot:
// variables that the script sets, loops over known values, functions, and tests for devices that it creates itself.
type shell struct {
	host   *host
	source *Source

	tokens    []*token
	at        int                 // the next token
	variables map[string]string   // the known ones
	lists     map[string][]string // arrays
	unknown   map[string]bool     // the variables that have a value, but not a known one
	functions map[string]int      // the token after the brace
	mode      mode
	why       string // of unsure and dead
	ended     bool   // by exit
	returned  bool
	broken    string               // "break" or "continue"
	levels    int                  // of loops that it is about
	locals    []map[string]*string // by function call: the values before local
	calls     int
	steps     int
	last      truth    // of the last command
	negated   bool     // by an exclamation mark before the present pipeline
	looking   bool     // for the creation of a link
	piped     []string // the command before the present one in a pipeline
	pipedFrom *token   // its token
	flushed   []flush
	defaults  []string // the variables whose default values the present command uses

	reading reading
}

// A mode is how commands are taken.
type mode uint8

const (
	certain mode = iota
	unsure       // whether they run is known only when the script runs
	dead         // they do not run
)

// stepsMax is the largest number of commands that are run, so that no loop takes long.
const stepsMax = 10000

const tooLong = "the script is too long"

// A truth is the result of a command, as far as it is known.
type truth int8

const (
	no    truth = -1
	maybe truth = 0
	yes   truth = 1
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// scripts imports shell scripts, each with variables of its own.
func scripts(h *host, all []*Source) []*Source {
	for _, s := range all {
		sh := newShell(h, s)
		sh.tokenize(s.Text, 1)
		sh.argument()
		for sh.at < len(sh.tokens) {
			sh.list()
		}
		sh.finish()
	}
	return nil
}

func newShell(h *host, s *Source) *shell {
	root := map[string]string{"UID": "0", "EUID": "0"}
	return &shell{host: h, source: s, variables: root, lists: map[string][]string{}, unknown: map[string]bool{},
		functions: map[string]int{}}
}

// in runs a function in another mode. A more certain mode within a less certain one has no effect.
func (s *shell) in(m mode, why string, run func()) {
	before, reason := s.mode, s.why
	if m > s.mode {
		s.mode, s.why = m, why
	}
	run()
	s.mode, s.why = before, reason
}

// stopped reports whether the commands up to the end of a function, a loop or the script do not run.
func (s *shell) stopped() bool { return s.ended || s.returned || s.broken != "" || s.steps > stepsMax }

// list runs commands up to one of the keywords, and returns this keyword.
func (s *shell) list(until ...string) string {
	operator := ""
	for s.at < len(s.tokens) {
		t := s.tokens[s.at]
		if t.keyword != "" && slices.Contains(until, t.keyword) {
			s.at++
			return t.keyword
		}
		if s.stopped() {
			return s.skip(until...)
		}
		if s.steps++; operator != "|" {
			s.piped = nil
		}
		s.joined(operator)
		operator = s.tokens[s.at-1].command.Then
	}
	return ""
}

// joined runs the next command, which follows an operator.
func (s *shell) joined(operator string) {
	run := func() { s.last = s.one() }
	if operator == "|" || s.tokens[s.at].command.Then == "|" { // in a subshell
		variables, unknown, lists := maps.Clone(s.variables), maps.Clone(s.unknown), maps.Clone(s.lists)
		defer func() { s.variables, s.unknown, s.lists = variables, unknown, lists }()
	}
	kept := s.last
	switch {
	case operator == "&&" && kept == no, operator == "||" && kept == yes:
		result := map[truth]string{yes: "fails", no: "succeeds"}[kept]
		s.in(dead, "it runs only if the command before it "+result, run)
		s.last = kept
	case (operator == "&&" || operator == "||") && kept == maybe:
		s.in(unsure, "whether it runs depends on the command before it", run)
		if s.last != no && operator == "&&" || s.last != yes && operator == "||" {
			s.last = maybe
		}
	default:
		run()
	}
}

// skip passes over commands up to one of the keywords, and returns this keyword.
func (s *shell) skip(until ...string) string {
	ends := map[string]string{"if": "fi", "for": "done", "select": "done", "while": "done", "until": "done",
		"case": "esac", "{": "}", "(": ")"}
	var open []string
	for ; s.at < len(s.tokens); s.at++ {
		keyword := s.tokens[s.at].keyword
		switch {
		case keyword == "":
		case len(open) == 0 && slices.Contains(until, keyword):
			s.at++
			return keyword
		case len(open) > 0 && keyword == open[len(open)-1]:
			open = open[:len(open)-1]
		case ends[keyword] != "":
			open = append(open, ends[keyword])
		}
	}
	return ""
}

// one runs the next command, which may be a compound one.
func (s *shell) one() truth {
	t := s.tokens[s.at]
	s.at++
	switch t.keyword {
	case "":
		return s.run(t)
	case "if":
		s.condition()
	case "for":
		s.loop(t)
	case "select":
		s.in(unsure, inLoop, func() { s.list("do"); s.body() })
	case "!":
		if s.at < len(s.tokens) {
			return -s.one()
		}
	case "while", "until":
		s.repeat(t)
	case "case":
		s.choose(t)
	case "{":
		s.list("}")
		return s.last
	case "(":
		s.subshell()
		return s.last
	case "function":
		s.define(t)
	}
	return yes
}
