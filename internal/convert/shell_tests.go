package convert

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
	"github.com/tunadm/tunadm/internal/words"
)

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
	if s.looking { // for the creation of another link, whose name is the output of a test
		return maybe
	}
	s.looking = true
	defer func() { s.looking = false }()
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

// linkLists are the commands and files that list the links by their names.
var linkLists = words.Pattern(`^(ls( -\w+)* /sys/class/net/?|cat /proc/net/dev|` +
	`ip( -\S+)* tuntap( show| list| ls)?|` +
	`ip( -\S+)* (l|li|link|a|addr|address)( show| list| ls| sh)?|ifconfig( -a)?|brctl show|netstat -i)$`)

var nameInPattern = words.Pattern(`^(?:\^|\\b|\\<|\s|: )*([A-Za-z][A-Za-z0-9_.-]*?)(?:\$|:|\\b|\\>|\s)*$`)

// grep returns the result of the search for a link in a list of links.
func (s *shell) grep(words []string) truth {
	for len(words) > 0 && strings.HasPrefix(words[0], "-") && !strings.ContainsAny(words[0], "vefAB") {
		words = words[1:]
	}
	list := len(words) == 1 && linkLists().MatchString(strings.Join(prefixless(s.piped), " ")) ||
		len(words) == 2 && words[1] == "/proc/net/dev"
	if !list || !standin.Known(words...) {
		return maybe
	}
	m := nameInPattern().FindStringSubmatch(words[0])
	if m == nil {
		return maybe
	}
	return s.exists(m[1])
}

// test returns the result of test(1).
func (s *shell) test(words []string) truth {
	if n := len(words) - 1; n >= 0 && (words[n] == "]" || words[n] == "]]") {
		words = words[:n]
	}
	for _, operator := range []string{"-o", "||", "-a", "&&"} {
		if i := slices.Index(words, operator); i > 0 && i < len(words)-1 {
			left, right := s.test(words[:i]), s.test(words[i+1:])
			if operator == "-o" || operator == "||" {
				return max(left, right)
			}
			return min(left, right)
		}
	}
	if len(words) > 0 && words[0] == "!" {
		return -s.test(words[1:])
	}
	if !standin.Known(words...) {
		return maybe
	}
	switch len(words) {
	case 1:
		return truthOf(words[0] != "")
	case 2:
		return s.testOne(words[0], words[1])
	case 3:
		return testTwo(words[0], words[1], words[2])
	}
	return maybe
}

// required are the programs that a script requires for its devices.
var required = []string{"ip", "tunctl", "brctl", "openvpn", "ifconfig", "route", "sysctl", "bridge"}

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
		case operand == "/dev/net/tun", operand == "/dev/net", slices.Contains(required, path.Base(operand)):
			return yes
		}
	}
	return maybe
}

// testTwo returns the result of a comparison.
func testTwo(left, operator, right string) truth {
	if strings.ContainsAny(right, "*?[") { // a pattern within [[ ]]
		return maybe
	}
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
