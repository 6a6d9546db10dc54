package convert

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
)

// A stanza is one iface stanza of interfaces(5).
type stanza struct {
	setting // the iface line
	name    string
	family  string // inet or inet6; "": either
	method  string
	options []*setting
	used    bool // the interface is a device or a bridge
}

// A setting is a key with its value, or a line, of a file.
type setting struct {
	source      *Source
	first, last int
	key, value  string
	taken       bool // it is imported, or has a remark
}

func (s *setting) said() {
	s.source.said(s.first, s.last)
	s.taken = true
}

func (s *setting) leave(why string) {
	s.source.leave(s.first, s.last, "%s", why)
	s.taken = true
}

func (s *setting) without(what, reason string) {
	s.source.without(s.first, s.last, what, reason)
	s.taken = true
}

// result marks the setting as imported, or adds a remark with the error.
func (s *setting) result(err error) {
	switch err {
	case nil:
		s.said()
	case errOther:
	default:
		s.leave(firstLine(err))
	}
}

// An ifupdown reads the files of ifupdown, ifupdown2 and ifupdown-ng.
type ifupdown struct {
	host    *host
	stanzas []*stanza
	named   map[string][]*stanza
	names   []*setting // of auto and allow-hotplug lines, as values
	more    []*Source
	seen    map[string]bool // the files that were read; each is read once
	joins   []join
}

// interfaces imports files in the format of interfaces(5).
func interfaces(h *host, all []*Source) []*Source {
	u := &ifupdown{host: h, named: map[string][]*stanza{}, seen: map[string]bool{}}
	for _, s := range all {
		u.seen[identity(s.Path)] = true
	}
	for _, s := range all {
		u.parse(s)
	}
	for _, s := range u.stanzas {
		u.named[s.name] = append(u.named[s.name], s)
	}
	var done []string
	for _, a := range u.names {
		if (a.key == "auto" || a.key == "allow-auto") && !slices.Contains(done, a.value) {
			done = append(done, a.value)
			u.up(a.value)
		}
	}
	atBoot := len(h.devices)
	for _, s := range u.stanzas {
		if !slices.Contains(done, s.name) {
			done = append(done, s.name)
			u.up(s.name)
		}
	}
	for _, d := range h.devices[atBoot:] {
		d.note("no auto line: ifupdown does not create it at boot")
	}
	u.joined()
	for _, s := range u.stanzas {
		u.rest(s)
	}
	for _, a := range u.names {
		if h.spec(a.value) != nil {
			a.said()
		}
	}
	return u.more
}

// parse reads the stanzas of a file.
func (u *ifupdown) parse(s *Source) {
	var current *stanza
	for _, line := range continuedLines(s) {
		key, value, _ := strings.Cut(strings.ReplaceAll(line.value, "\t", " "), " ")
		line.key, line.value = key, strings.TrimSpace(value)
		words := strings.Fields(line.value)
		switch {
		case key == "iface" && len(words) > 0:
			current = &stanza{setting: line, name: words[0]}
			if len(words) > 1 && words[1] != "inherits" {
				current.family = words[1]
			}
			if len(words) > 2 {
				current.method = words[2]
			}
			u.stanzas = append(u.stanzas, current)
		case key == "auto" || strings.HasPrefix(key, "allow-"):
			current = nil
			for _, name := range words {
				one := line
				one.value = name
				u.names = append(u.names, &one)
			}
		case key == "source" || key == "source-directory":
			current = nil
			line.said()
			u.include(s, key, words)
		case slices.Contains([]string{"mapping", "template", "rename"}, key) || strings.HasPrefix(key, "no-"):
			current = nil
		case current != nil:
			current.options = append(current.options, &line)
		}
	}
}

// directoryName is the form of the names that source-directory reads.
var directoryName = words.Pattern(`^[a-zA-Z0-9_-]+$`)

// include reads the files that a file names.
func (u *ifupdown) include(s *Source, key string, patterns []string) {
	from := s.Path
	if !filepath.IsAbs(from) && !strings.Contains(from, "/") {
		from = "/etc/network/interfaces"
		if s.Path != stdinName {
			from = s.Path
		}
	}
	for _, pattern := range patterns {
		if key == "source-directory" {
			pattern = filepath.Join(pattern, "*")
		}
		for _, name := range matching(pattern, from) {
			odd := key == "source-directory" && !directoryName().MatchString(filepath.Base(name))
			if odd || u.seen[identity(name)] {
				continue
			}
			u.seen[identity(name)] = true
			file, err := readFile(name)
			if err != nil {
				s.note(1, 1, "a file is not imported: "+firstLine(err))
				continue
			}
			u.more = append(u.more, file)
			u.parse(file)
		}
	}
}

// continuedLines returns the lines of a file that are not comments, each with those that a backslash joins to it.
func continuedLines(s *Source) (all []setting) {
	for n := 1; n <= len(s.lines); n++ {
		line := setting{source: s, first: n, last: n, value: s.line(n)}
		if line.value == "" || line.value[0] == '#' {
			continue
		}
		for strings.HasSuffix(line.value, `\`) && n < len(s.lines) {
			n++
			line.last = n
			line.value = strings.TrimSuffix(line.value, `\`) + " " + s.line(n)
		}
		all = append(all, line)
	}
	return all
}

// up runs the stanzas of an interface in the order of ifup(8).
func (u *ifupdown) up(name string) {
	for _, s := range u.named[name] {
		u.commands(s, "pre-up")
		u.hooks(s)
		if spec := u.host.spec(name); spec != nil {
			s.used = true
			s.said()
			u.method(s, spec)
			u.proxy(s, spec)
		}
		u.commands(s, "up", "post-up")
	}
}

// commands runs the commands of a stanza for some phases.
func (u *ifupdown) commands(s *stanza, phases ...string) {
	for _, o := range s.options {
		if !slices.Contains(phases, o.key) {
			continue
		}
		sh := newShell(u.host, o.source)
		for name, value := range map[string]string{
			"IFACE": s.name, "LOGICAL": s.name, "ADDRFAM": s.family, "METHOD": s.method, "MODE": "start",
		} {
			sh.variables[name] = value
		}
		sh.tokenize(o.value, o.first)
		for _, t := range sh.tokens {
			t.first, t.last = o.first, o.last
		}
		sh.list()
		sh.finish()
	}
}

// rest marks what takes the devices down, which tunadm teardown does, and the stanzas of devices that nothing creates.
func (u *ifupdown) rest(s *stanza) {
	for _, o := range s.options {
		if !slices.Contains([]string{"down", "pre-down", "post-down"}, o.key) {
			continue
		}
		sh := newShell(u.host, o.source)
		sh.variables["IFACE"] = s.name
		if sh.undoes(o.value) {
			o.said()
		}
	}
	for _, o := range s.options {
		if s.used && !o.source.read[o.first-1] {
			o.leave("not supported")
		}
	}
	if s.used || link.ModeOf(s.name) == 0 || u.host.spec(s.name) != nil {
		return
	}
	s.leave("nothing here creates " + s.name)
}
