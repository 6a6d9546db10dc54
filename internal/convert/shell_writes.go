package convert

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/standin"
)

// writes runs a command that writes into a file of the kernel, and sysctl(8). It returns false for another command.
func (s *shell) writes(t *token, words []string) bool {
	name := path.Base(words[0])
	if name == "sysctl" {
		return s.sysctls(t, words[1:])
	}
	var files, text []string
	switch {
	case name == "echo" || name == "printf":
		files, text = t.command.Expand([]string{t.command.Output}, s.value), words[1:]
	case name == "tee" && len(s.piped) > 1 && s.piped[0] == "echo":
		files, text = words[1:], s.piped[1:]
	}
	if len(text) > 0 && text[0] == "-n" {
		text = text[1:]
	}
	if len(files) != 1 || !strings.HasPrefix(files[0], "/") {
		return false
	}
	value := strings.TrimSuffix(strings.Join(text, " "), `\n`)
	if rest, ok := strings.CutPrefix(files[0], "/proc/sys/"); ok {
		return s.sysctl(t, strings.Split(rest, "/"), value)
	}
	for _, folder := range []string{"/sys/class/net/", "/sys/devices/virtual/net/"} {
		if rest, ok := strings.CutPrefix(files[0], folder); ok {
			link, attribute, _ := strings.Cut(rest, "/")
			return s.kernel(t, link, attribute+value, func() error { return s.host.attribute(link, attribute, value) })
		}
	}
	return false
}

// kernel runs a change of a file of the kernel, and marks the command. It returns false for files of other links.
func (s *shell) kernel(t *token, link, value string, run func() error) bool {
	switch {
	case standin.Known(link) && s.host.spec(link) == nil:
		return false
	case s.mode == dead:
		t.why = s.why
	case s.mode == unsure:
		t.leave(s.source, s.why)
	case !standin.Known(link, value):
		t.leave(s.source, unknownValue)
	default:
		if err := run(); err != nil {
			t.leave(s.source, firstLine(err))
		} else if len(s.piped) > 0 {
			s.pipedFrom.done = true
		}
		t.done = true
	}
	return true
}

// sysctl sets a sysctl, whose name has five parts if it is that of a link.
func (s *shell) sysctl(t *token, parts []string, value string) bool {
	if len(parts) != 5 || parts[0] != "net" || parts[2] != "conf" && parts[2] != "neigh" {
		return false
	}
	name := strings.Join([]string{parts[0], parts[1], parts[2], parts[4]}, ".")
	return s.kernel(t, parts[3], name+value, func() error { return setSysctl(s.host.spec(parts[3]), name, value) })
}

// sysctls runs sysctl(8).
func (s *shell) sysctls(t *token, words []string) bool {
	taken, others := false, []string(nil)
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		separator := "."
		if strings.Contains(name, "/") {
			separator = "/"
		}
		switch {
		case strings.HasPrefix(word, "-"):
		case ok && s.sysctl(t, strings.Split(strings.TrimSpace(name), separator), strings.TrimSpace(value)):
			taken = true
		default:
			others = append(others, word)
		}
	}
	if taken && len(others) > 0 && standin.Known(others...) {
		s.source.without(t.first, t.last, strings.Join(others, " "), "it is not about a TUN/TAP device")
	}
	return taken
}

// attribute sets an attribute of a link in sysfs.
func (h *host) attribute(name, attribute, value string) error {
	words := []string{"ip", "link", "set", "dev", name}
	switch folder, key := path.Split(attribute); {
	case attribute == "mtu":
		words = append(words, "mtu", value)
	case attribute == "tx_queue_len":
		words = append(words, "txqueuelen", value)
	case attribute == "ifalias":
		words = append(words, "alias", value)
	case folder == "bridge/":
		key = strings.ReplaceAll(key, "multicast_", "mcast_")
		if key == "default_pvid" {
			key = "vlan_default_pvid"
		}
		words = append(words, "type", "bridge", key, value)
	case folder == "brport/":
		words = append(words, "type", "bridge_slave", key, value)
	default:
		return errors.New("a file cannot declare it")
	}
	line, err := standin.ReadLine(words)
	if err != nil {
		return err
	}
	return h.run(line)
}

// inner runs the text of sh -c.
func (s *shell) inner(t *token, words []string) (result truth, is bool) {
	i := slices.IndexFunc(words, func(w string) bool { return strings.HasPrefix(w, "-") && strings.HasSuffix(w, "c") })
	if i < 0 || i+1 >= len(words) {
		return maybe, false
	}
	if !standin.Known(words[i+1]) {
		if s.mode == dead {
			t.why = s.why
		} else if mentionsTool(words[i+1]) {
			t.leave(s.source, unknownValue)
		}
		return maybe, true
	}
	sub := newShell(s.host, s.source)
	sub.mode, sub.why, sub.calls, sub.steps = s.mode, s.why, s.calls+1, s.steps
	if sub.calls > 20 {
		return maybe, true
	}
	sub.tokenize(words[i+1], t.first)
	for _, one := range sub.tokens {
		one.first, one.last = t.first, t.last
	}
	sub.list()
	s.steps = sub.steps
	relevant := slices.ContainsFunc(sub.tokens, func(one *token) bool { return one.done && one.keyword == "" })
	if t.done = t.done || relevant; relevant || s.mode != certain {
		sub.finish()
	}
	return sub.last, true
}

func mentionsTool(text string) bool { return toolWords().MatchString(text) }
