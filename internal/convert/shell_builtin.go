package convert

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/internal/words"
)

// builtin runs the commands of the shell itself, and tests.
func (s *shell) builtin(t *token, words []string) (result truth, is bool) {
	if strings.HasPrefix(words[0], "((") || words[0] == "let" {
		return s.arithmetics(t, words), true
	}
	switch path.Base(words[0]) {
	case ":", "true", "set", "shift", "shopt", "wait", "hash", "umask":
		t.done = true
		if words[0] == "shift" {
			s.shift()
		} else if len(words) > 1 && words[0] == "set" && words[1] == "--" {
			s.arguments(words[2:])
		}
	case "echo", "printf", "sleep":
		if t.done = !t.command.Used; len(words) > 2 && words[1] == "-v" {
			s.forget(words[2])
		}
	case "false":
		t.done = true
		return no, true
	case "exit", "return", "break", "continue":
		t.done = true
		s.leaves(words)
		if words[0] == "exit" || words[0] == "return" {
			return s.status(words[1:]), true
		}
	case "read", "unset", "getopts", "mapfile", "readarray":
		for _, name := range words[1:] {
			s.forget(name)
		}
		if words[0] == "unset" && s.mode == certain {
			for _, name := range words[1:] {
				delete(s.unknown, name)
			}
		}
		return maybe, true
	case ".", "source", "eval":
		s.sources(words)
		return maybe, true
	case "[", "test", "[[":
		if s.mode == dead {
			t.done = s.why == inBranch
			return maybe, true
		}
		result := s.test(words[1:])
		t.done = result != maybe
		return result, true
	case "grep", "fgrep", "egrep":
		result := s.grep(words[1:])
		t.done = result != maybe
		return result, true
	case "sh", "bash", "dash":
		return s.inner(t, words)
	default:
		return maybe, false
	}
	return yes, true
}

// status returns the result of a function or a subshell that ends with exit or return.
func (s *shell) status(words []string) truth {
	if len(words) == 0 {
		return s.last
	}
	if n, err := strconv.Atoi(words[0]); err == nil {
		return truthOf(n == 0)
	}
	return maybe
}

// arguments sets the arguments of the script or of a function.
func (s *shell) arguments(words []string) {
	for n := 1; n <= 9; n++ {
		switch {
		case s.mode == dead:
		case s.mode == unsure || !standin.Known(words...):
			s.forget(itoa(n))
		case n <= len(words):
			s.give(itoa(n), words[n-1])
		default:
			s.forget(itoa(n))
			delete(s.unknown, itoa(n))
		}
	}
	if s.mode == certain && standin.Known(words...) {
		s.give("#", itoa(len(words)))
	} else if s.mode != dead {
		s.forget("#")
	}
}

// leaves ends a loop, a function or the script.
func (s *shell) leaves(words []string) {
	word := words[0]
	switch {
	case s.mode != certain:
	case word == "break" || word == "continue":
		s.broken, s.levels = word, 1
		if len(words) > 1 {
			s.levels, _ = strconv.Atoi(words[1])
		}
	default:
		s.ended, s.returned = word == "exit" || s.calls == 0, true
	}
}

// shift forgets the arguments: which are left is known only of known ones.
func (s *shell) shift() {
	for n := 1; n <= 9; n++ {
		place, next := itoa(n), itoa(n+1)
		value, set := s.variables[next]
		if unknown := s.unknown[next]; !set || n == 9 || s.mode != certain {
			if s.forget(place); !unknown && s.mode == certain {
				delete(s.unknown, place)
			}
			continue
		}
		s.give(place, value)
	}
	s.forget("#")
}

// libraries matches files of functions for init scripts, which set no variables of others.
var libraries = words.Pattern(`(^|/)(init-functions|functions|functions\.sh|rc\.subr|rc\.conf|vars\.sh)$`)

// sources forgets all variables: another file may set them.
func (s *shell) sources(words []string) {
	if s.mode == dead || len(words) > 1 && words[0] != "eval" && libraries().MatchString(words[1]) {
		return
	}
	for name := range s.variables {
		if strings.Contains(letters, name[:1]) && name != "UID" && name != "EUID" {
			s.forget(name)
		}
	}
	for name := range s.lists {
		s.forget(name)
	}
}

var (
	counts   = words.Pattern(`^\s*([A-Za-z_]\w*)\s*(\+\+|--|[-+]?=)\s*([\w$+*-]*)\s*$`)
	compares = words.Pattern(`^\s*([\w$+*-]+)\s*(<=|>=|==|!=|<|>)\s*([\w$+*-]+)\s*$`)
	oneName  = words.Pattern(`[A-Za-z_]\w*`)
)

// arithmetics runs (( )) and let.
func (s *shell) arithmetics(t *token, words []string) truth {
	_, text, _ := strings.Cut(strings.TrimSuffix(t.command.Text, "))"), "((")
	if words[0] == "let" {
		text = strings.Join(words[1:], " ")
	}
	if m := compares().FindStringSubmatch(text); m != nil {
		a, ok := s.compute(m[1])
		b, ok2 := s.compute(m[3])
		if !ok || !ok2 {
			return maybe
		}
		operators := map[string]string{"<": "-lt", "<=": "-le", ">": "-gt", ">=": "-ge", "==": "-eq", "!=": "-ne"}
		t.done = true
		return testTwo(a, operators[m[2]], b)
	}
	m := counts().FindStringSubmatch(text)
	expression := ""
	switch {
	case m == nil:
	case m[2] == "=":
		expression = m[3]
	case m[2][1:] == "=":
		expression = m[1] + m[2][:1] + m[3]
	default:
		expression = m[1] + m[2][:1] + "1"
	}
	if value, known := s.compute(expression); m != nil && known && s.mode == certain {
		s.give(m[1], value)
		t.done = true
		return yes
	}
	for _, name := range oneName().FindAllString(text, -1) {
		if s.mode != dead {
			s.forget(name)
		}
	}
	return maybe
}

// unrelated returns the result of a command that does not configure links.
func (s *shell) unrelated(t *token, words []string) truth {
	if s.mode == dead && s.why != inBranch { // what a script does after a failure
		t.done = true
	}
	if len(words) == 2 && path.Base(words[0]) == "modprobe" && (words[1] == "tun" || words[1] == "bridge") {
		t.done = true // tunadm needs no module, the kernel loads it
	}
	switch name := path.Base(words[0]); name {
	case "modprobe", "sysctl", "iptables", "ip6tables", "nft", "mkdir", "mknod", "chmod", "chown", "cd", "ethtool",
		"udevadm", "touch", "logger", "insmod", "tee", "cat", "tc", "bridge":
		return yes
	case "which", "type":
		if len(words) == 2 && slices.Contains(required, path.Base(words[1])) {
			t.done = true
			return yes
		}
	}
	return maybe
}
