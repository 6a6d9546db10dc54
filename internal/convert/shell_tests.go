package convert

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
)

// builtin runs the commands of the shell itself, and tests.
func (s *shell) builtin(t *token, words []string) (result truth, is bool) {
	switch words[0] {
	case ":", "true", "set", "shift", "local", "shopt", "wait":
		t.done = true
	case "echo", "printf", "sleep":
		t.done = !t.command.Used
	case "false":
		t.done = true
		return no, true
	case "exit", "return":
		t.done = true
		if s.mode == certain {
			s.ended, s.returned = words[0] == "exit" || s.calls == 0, true
		}
	case "[", "test", "[[":
		if s.mode == dead {
			return maybe, true
		}
		result := s.test(words[1:])
		t.done = result != maybe
		return result, true
	default:
		return maybe, false
	}
	return yes, true
}

// unrelated returns the result of a command that does not configure links.
func (s *shell) unrelated(t *token, name string) truth {
	if s.mode == dead && s.why != inBranch { // what a script does after a failure
		t.done = true
	}
	switch path.Base(name) {
	case "modprobe", "sysctl", "iptables", "ip6tables", "nft", "mkdir", "mknod", "chmod", "chown", "cd", "ethtool",
		"udevadm":
		return yes
	}
	return maybe
}

// shows returns the result of a command that prints a link: whether it exists.
func (s *shell) shows(words []string) truth {
	name := words[len(words)-1]
	if len(words) < 2 || !standin.Known(name) {
		return maybe
	}
	return s.exists(name)
}

// exists reports whether a link exists at this point of the script. It is known of links that the script creates.
func (s *shell) exists(name string) truth {
	if s.host.spec(name) != nil {
		return yes
	}
	s.steps += len(s.tokens) / 100
	for _, t := range s.tokens {
		words := s.expand(t.command)
		if !slices.Contains(words, name) {
			continue
		}
		line, err := standin.ReadLine(prefixless(words))
		if err == nil && line.Name == name && (line.Act == standin.Bridges ||
			line.Act == standin.Creates && line.Request.Ask == standin.Add) {
			return no
		}
	}
	return maybe
}

// test returns the result of test(1).
func (s *shell) test(words []string) truth {
	if n := len(words) - 1; n >= 0 && (words[n] == "]" || words[n] == "]]") {
		words = words[:n]
	}
	if len(words) > 0 && words[0] == "!" {
		return -s.test(words[1:])
	}
	if !standin.Known(words...) {
		return maybe
	}
	switch len(words) {
	case 2:
		return s.testOne(words[0], words[1])
	case 3:
		return testTwo(words[0], words[1], words[2])
	}
	return maybe
}

// required are the programs that a script requires for its devices.
var required = []string{"ip", "tunctl", "brctl", "openvpn", "ifconfig"}

// testOne returns the result of a test with one operand.
func (s *shell) testOne(operator, operand string) truth {
	link, isLink := strings.CutPrefix(strings.TrimSuffix(operand, "/"), "/sys/class/net/")
	switch operator {
	case "-n":
		return truthOf(operand != "")
	case "-z":
		return truthOf(operand == "")
	case "-e", "-d", "-L", "-h", "-c", "-x", "-f", "-r", "-w":
		switch {
		case isLink && !strings.Contains(link, "/"):
			return s.exists(link)
		case operand == "/dev/net/tun", slices.Contains(required, path.Base(operand)):
			return yes
		}
	}
	return maybe
}

// testTwo returns the result of a comparison.
func testTwo(left, operator, right string) truth {
	switch operator {
	case "=", "==":
		return truthOf(left == right)
	case "!=":
		return truthOf(left != right)
	}
	a, err := strconv.Atoi(left)
	b, err2 := strconv.Atoi(right)
	if err != nil || err2 != nil {
		return maybe
	}
	switch operator {
	case "-eq":
		return truthOf(a == b)
	case "-ne":
		return truthOf(a != b)
	case "-lt":
		return truthOf(a < b)
	case "-le":
		return truthOf(a <= b)
	case "-gt":
		return truthOf(a > b)
	case "-ge":
		return truthOf(a >= b)
	}
	return maybe
}
