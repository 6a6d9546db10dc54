// Package convert reads the configuration of other tools, and prints the file that declares the same TUN/TAP devices.
// It changes nothing, and each line of its input is either imported or named in a comment.
package convert

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/words"
)

// A format is one kind of configuration.
type format struct {
	name   string
	places []string       // the usual files and directories
	suffix []string       // of the names of its files
	marks  *regexp.Regexp // what only this format has
	empty  func(line string) bool
	read   func(h *host, all []*Source) (more []*Source) // more are files that these files name
}

// formats returns the formats, in the order in which a file is tried.
func formats() []format {
	return []format{
		{
			name: "networkd", places: []string{"/etc/systemd/network"},
			suffix: []string{".netdev", ".network", ".link"},
			marks:  regexp.MustCompile(`(?m)^[ \t]*\[(NetDev|Match)\]`), empty: noContent("#;"), read: networkdFiles,
		},
		{
			name: "networkmanager", places: []string{"/etc/NetworkManager/system-connections"},
			suffix: []string{".nmconnection"},
			marks:  regexp.MustCompile(`(?m)^[ \t]*\[connection\]`), empty: noContent("#;"), read: profiles,
		},
		{
			name: "netplan", places: []string{"/etc/netplan"}, suffix: []string{".yaml", ".yml"},
			marks: regexp.MustCompile(`(?m)^network:`), empty: noContent("#"), read: netplan,
		},
		{
			name: "openwrt", places: []string{"/etc/config/network"},
			marks: regexp.MustCompile(`(?m)^[ \t]*config[ \t]+'?(interface|device|globals|route)\b`),
			empty: noContent("#"), read: openwrtNetwork,
		},
		{
			name: "ifupdown", places: []string{"/etc/network/interfaces"},
			marks: regexp.MustCompile(`(?m)^[ \t]*(iface|auto|allow-[a-z]+|source|source-directory)[ \t]+[^ \t=]`),
			empty: noContent("#"), read: interfaces,
		},
		{
			name: "unit", suffix: []string{".service"}, marks: regexp.MustCompile(`(?m)^ExecStart(Pre|Post)?=`),
			empty: noContent("#;"), read: services,
		},
		{
			name: "script", places: []string{"/etc/rc.local"}, suffix: []string{".sh"},
			marks: regexp.MustCompile(`\A#!|(?m)\b(tunctl|tuntap|mktun|brctl|ifconfig)\b`),
			empty: scriptEmpty, read: scripts,
		},
	}
}

// Formats returns the names of the formats.
func Formats() (names []string) {
	for _, f := range formats() {
		names = append(names, f.name)
	}
	slices.Sort(names)
	return names
}

// CheckFormat returns an error if the format is unknown.
func CheckFormat(name string) error {
	if names := Formats(); !slices.Contains(names, name) {
		last := len(names) - 1
		return fmt.Errorf("%q is none of %s and %s", name, strings.Join(names[:last], ", "), names[last])
	}
	return nil
}

// scriptEmpty reports whether a line of a script does nothing by itself.
func scriptEmpty(line string) bool {
	structure := []string{"then", "else", "fi", "do", "done", "esac", "{", "}", ";;"}
	return line == "" || line[0] == '#' || slices.Contains(structure, line)
}

// detect returns the format of a file, or nil.
func detect(s *Source) *format {
	all := formats()
	if strings.HasPrefix(s.Text, "#!") {
		return &all[len(all)-1] // script
	}
	for _, by := range []func(f format) bool{
		func(f format) bool { return slices.Contains(f.suffix, path.Ext(s.Path)) },
		func(f format) bool { return f.marks.MatchString(s.Text) },
	} {
		if i := slices.IndexFunc(all, by); i >= 0 {
			return &all[i]
		}
	}
	return nil
}

// Convert returns a file that declares the devices of other files. The format may be "": it is then that of each file.
func Convert(all []*Source, name string) (string, error) {
	h := &host{}
	head, text := "", strings.Builder{}
	for _, s := range all {
		if s.format = cmp.Or(s.format, name); s.format != "" {
			continue
		}
		f := detect(s)
		if f == nil {
			return "", fmt.Errorf("%s: the format is unknown", words.Escape(s.Path))
		}
		s.format = f.name
	}
	for _, f := range formats() {
		own := slices.DeleteFunc(slices.Clone(all), func(s *Source) bool { return s.format != f.name })
		if len(own) == 0 {
			continue
		}
		own = append(own, f.read(h, own)...)
		mentions := h.mentions()
		for _, s := range own {
			head += comment("Imported from " + s.Path + " (" + f.name + ")")
			for _, r := range s.finish(f.empty, mentions) {
				text.WriteString(s.print(r))
			}
		}
	}
	if len(h.devices) == 0 {
		head += comment("No TUN/TAP device was found")
	}
	return strings.TrimSuffix(head+"\n"+h.print()+text.String(), "\n") + "\n", nil
}

var toolWords = words.Pattern(`\b(tunctl|vde_tunctl|tuntap|mktun)\b`)

// mentions returns a function that reports whether a line names a device, or a tool that creates one.
func (h *host) mentions() func(line string) bool {
	names := map[string]bool{}
	for _, d := range h.devices {
		names[d.Name] = true
	}
	separates := func(r rune) bool { return strings.ContainsRune(" \t\"'=./,:;()[]{}|&<>", r) }
	return func(line string) bool {
		return toolWords().MatchString(line) || slices.ContainsFunc(strings.FieldsFunc(line, separates),
			func(word string) bool { return names[word] })
	}
}
