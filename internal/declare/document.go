package declare

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tunadm/tunadm/netcfg"
)

// The headers of the file.
const (
	headDefaults = "defaults"
	headDevice   = "device"
)

// A document is one file on its way from bytes to declarations.
type document struct {
	path string
	data []byte

	sections map[string]*section // by path
	order    []*section
	wrong    map[int]*Mistake // by offset, the first at each
	lines    []int            // offsets of their first bytes
	counted  struct {         // the last column that was counted, so that a long line is counted once
		line, at, column int
	}
}

// A section is [defaults] or one [device.NAME], in whichever of TOML's ways it is written.
type section struct {
	device  string // the name, or a range of names; "": defaults
	at      int    // offset
	headed  bool   // it has a header of its own
	entries []entry
	keys    map[string]int // offsets of the entries, by key
}

// An entry is one property of a section.
type entry struct {
	key   string
	at    int // offset
	value value
}

// A value is what stands behind an equals sign, or one item of a list.
type value struct {
	kind  unstable.Kind
	text  string // of a string what it says, of a number or a boolean how it is written
	items []value
	at    int // offset
}

// read takes the file apart. Behind a mistake of syntax it goes on with the next line.
func (d *document) read() {
	var p unstable.Parser
	var header []string // of the table that the keys are in; nil: none
	known := true       // that header
	for start := 0; ; {
		p.Reset(d.data[start:])
		for p.NextExpression() {
			node := p.Expression()
			path, at := d.key(node, start)
			switch {
			case node.Kind != unstable.KeyValue:
				header, known = path, d.head(path, at, node.Kind == unstable.ArrayTable)
			case known:
				d.entry(append(slices.Clone(header), path...), at, d.value(node.Value(), start, d.valueStart(node, start)))
			}
		}
		var syntax *unstable.ParserError
		if !errors.As(p.Error(), &syntax) {
			return
		}
		at := len(d.data) - cap(syntax.Highlight)
		if at < start || at >= len(d.data) {
			at = max(start, len(d.data)-1)
		}
		text, hint := explainSyntax(d.line(at), syntax.Message)
		d.mistake(at, hint, "%s", text)
		known = known && !strings.HasPrefix(strings.TrimSpace(d.line(at)), "[")
		next := bytes.IndexByte(d.data[at:], '\n')
		if next < 0 {
			return
		}
		start = at + next + 1
	}
}

// explainSyntax says what is most often wrong with a line that TOML does not understand, else what the parser says.
func explainSyntax(line, message string) (text, hint string) {
	key, rest, isEntry := strings.Cut(line, "=")
	key = strings.TrimSpace(key)
	k := findKey(key)
	rest, _, _ = strings.Cut(rest, "#")
	bare, _, _ := strings.Cut(rest, "//")
	word := strings.Trim(bare, " \t,;\u201c\u201d\u2018\u2019")
	switch {
	case isEntry && k != nil && strings.TrimSpace(rest) == "":
		return key + " has no value", ""
	case isEntry && k != nil && word != "" && !strings.ContainsAny(rest, `"'[{`):
		if right := k.right(word); right != strings.TrimSpace(line) {
			return key + ": wants " + k.wants() + ", not " + netcfg.Escape(strings.TrimSpace(rest)), right
		}
	case strings.HasPrefix(key, "[") && strings.Count(line, "[") > 1 && !strings.ContainsAny(line, `"'`):
		return netcfg.Escape(message), `a range of names is quoted: [device."tap[0-9]"]`
	case strings.HasPrefix(key, "//") || strings.HasPrefix(key, ";"):
		return "a comment begins with #", ""
	}
	return netcfg.Escape(message), ""
}

// key is the dotted key of a node, with the offset of its last part, or of its first in a header.
func (d *document) key(node *unstable.Node, start int) (path []string, at int) {
	at = -1
	for it := node.Key(); it.Next(); {
		path = append(path, string(it.Node().Data))
		if at < 0 || node.Kind == unstable.KeyValue {
			at = start + int(it.Node().Raw.Offset)
		}
	}
	return path, at
}

// valueStart is the offset behind the key's equals sign.
func (d *document) valueStart(node *unstable.Node, start int) int {
	at := start
	for it := node.Key(); it.Next(); {
		at = start + int(it.Node().Raw.Offset+it.Node().Raw.Length)
	}
	for at < len(d.data)-1 && strings.IndexByte(" \t=", d.data[at]) >= 0 {
		at++
	}
	return at
}

func (d *document) value(node *unstable.Node, start, at int) value {
	v := value{kind: node.Kind, text: string(node.Data), at: at}
	if node.Raw.Length > 0 {
		v.at = start + int(node.Raw.Offset)
	}
	for it := node.Children(); it.Next(); {
		item := it.Node()
		if node.Kind == unstable.InlineTable {
			path, keyAt := d.key(item, start)
			pair := value{kind: unstable.KeyValue, text: strings.Join(path, "\x00"), at: keyAt}
			pair.items = []value{d.value(item.Value(), start, d.valueStart(item, start))}
			v.items = append(v.items, pair)
		} else {
			v.items = append(v.items, d.value(item, start, v.at))
		}
	}
	return v
}

// head begins the section of a header, and says whether there is one of that name.
func (d *document) head(path []string, at int, list bool) bool {
	switch {
	case list:
		d.mistake(at, "one pair of brackets: [device.NAME]", "a list of tables")
	case len(path) == 1 && path[0] == headDevice:
		return true
	case len(path) == 1 && path[0] == headDefaults, len(path) == 2 && path[0] == headDevice:
		s := d.section(path, at)
		if s.headed {
			d.twice(at, "["+strings.Join(path, ".")+"]", s.at)
		}
		s.headed = true
		return true
	default:
		d.unknownPath(path, at)
	}
	return false
}

// section is the one of that path, made if it is not there.
func (d *document) section(path []string, at int) *section {
	device := ""
	if path[0] == headDevice {
		device = path[1]
		if device == "" {
			d.mistake(at, "", "a device without a name")
		}
	}
	s := d.sections[strings.Join(path, "\x00")]
	if s == nil {
		s = &section{device: device, at: at, keys: map[string]int{}}
		d.sections[strings.Join(path, "\x00")] = s
		d.order = append(d.order, s)
	}
	return s
}

// entry files a value under its path. An inline table is as good as a header.
func (d *document) entry(path []string, at int, v value) {
	depth := map[string]int{headDefaults: 2, headDevice: 3}[path[0]]
	switch {
	case v.kind == unstable.InlineTable && len(path) < depth:
		if len(path) == depth-1 && !d.head(path, at, false) {
			return
		}
		for _, pair := range v.items {
			d.entry(append(slices.Clone(path), strings.Split(pair.text, "\x00")...), pair.at, pair.items[0])
		}
	case len(path) != depth:
		d.unknownPath(path, at)
	default:
		s := d.section(path[:depth-1], at)
		key := path[depth-1]
		if first, twice := s.keys[key]; twice {
			d.twice(at, key, first)
			return
		}
		s.keys[key] = at
		s.entries = append(s.entries, entry{key, at, v})
	}
}

func (d *document) twice(at int, what string, first int) {
	line, _ := d.lineStart(first)
	d.mistake(at, "", "%s stands here twice: first in line %d", netcfg.Escape(what), line)
}

// unknownPath refuses a header, or a key outside of the sections, with what was probably meant.
func (d *document) unknownPath(path []string, at int) {
	shown := netcfg.Escape(strings.Join(path, "."))
	switch {
	case path[0] == headDevice && len(path) == 3 && findKey(path[2]) != nil:
		d.mistake(at, path[2]+" is a property: it stands in a line of its own under [device."+netcfg.Escape(path[1])+"]", "unknown table %q", shown)
	case path[0] == headDevice && len(path) > 2 && findKey(path[len(path)-1]) == nil:
		d.mistake(at, fmt.Sprintf("a name with dots is quoted: [device.%q]", strings.Join(path[1:], ".")), "unknown table %q", shown)
	case path[0] == headDevice && len(path) > 3:
		d.mistake(at, fmt.Sprintf("a name with dots is quoted: [device.%q]", strings.Join(path[1:len(path)-1], ".")), "unknown table %q", shown)
	case path[0] == headDevice && len(path) == 2:
		d.mistake(at, "its properties stand under [device."+netcfg.Escape(path[1])+"]", "device %q is no value but a table", netcfg.Escape(path[1]))
	case len(path) == 1 && findKey(path[0]) != nil:
		d.mistake(at, "it stands under [device.NAME] or [defaults]", "%s is no property of the file", shown)
	case len(path) == 1 && netcfg.ModeOf(path[0]) != 0:
		d.mistake(at, "did you mean [device."+shown+"]?", "unknown table %q", shown)
	default:
		hint := netcfg.Nearest(path[0], []string{headDefaults, headDevice})
		if hint != "" {
			hint = "did you mean " + hint + "?"
		}
		d.mistake(at, hint, "unknown table %q: there are [defaults] and [device.NAME]", shown)
	}
}
