package convert

import (
	"slices"
	"strings"
)

// services imports units of systemd, whose commands systemd runs without a shell.
func services(h *host, all []*Source) []*Source {
	for _, s := range all {
		found := sections(s, true)
		sh := newShell(h, s)
		for _, one := range found {
			for _, e := range one.entries {
				if e.key == "Environment" {
					sh.environment(e)
				}
			}
		}
		for _, phase := range []string{"ExecStartPre", "ExecStart", "ExecStartPost", "ExecStop", "ExecStopPost"} {
			for _, one := range found {
				for _, e := range one.entries {
					if e.key == phase && one.name == "Service" {
						sh.service(e, strings.HasPrefix(phase, "ExecStop"))
					}
				}
			}
		}
	}
	return nil
}

// environment sets the variables of Environment=.
func (s *shell) environment(e *setting) {
	for _, word := range strings.Fields(e.value) {
		if m := assignment().FindStringSubmatch(strings.Trim(word, `"'`)); m != nil && m[2] == "" {
			s.give(m[1], m[3])
			e.said()
		}
	}
}

// service runs a command of a unit, or marks it if it only undoes the others.
func (s *shell) service(e *setting, undo bool) {
	text := strings.TrimLeft(e.value, "-:+!|")
	text = strings.NewReplacer("%%", "%", "%", "${unit}", "$$", `\$`).Replace(text)
	one := newShell(s.host, e.source)
	for name, value := range s.variables {
		one.give(name, value)
	}
	if undo {
		if one.undoes(text) {
			e.said()
		}
		return
	}
	if strings.HasPrefix(text, "@") {
		return
	}
	if err := one.read(text, e.first, e.last); err != nil {
		e.leave(err.Error())
		return
	}
	if len(one.tokens) > 1 && slices.ContainsFunc(one.tokens, one.relevant) {
		e.leave("systemd runs one command, without a shell")
		return
	}
	one.list()
	one.finish()
}
