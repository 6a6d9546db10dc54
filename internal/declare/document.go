package declare

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// The headers of the file.
const (
	headDefaults = "defaults"
	headDevice   = "device"
	headBridge   = "bridge"
)

// A document is one file between its bytes and its declarations.
type document struct {
	path string
	data []byte

	sections map[string]*section // by the parts of their headers, with a zero byte in between
	order    []*section
	wrong    map[int]*Mistake // by offset, the first at each
	lines    []int            // the offset of the first byte of each; nil: not looked for yet
	counted  struct {         // the last place that was counted
		line, at, column int
	}
}

// A section is [defaults], one [device.NAME] or one [bridge.NAME], in any of TOML's notations.
type section struct {
	head    string // the first part of the header
	device  string // the name, or a range of names; "": [defaults]
	at      int    // offset
	headed  bool   // it has a header
	entries []entry
	keys    map[string]int // offsets of the entries, by key
}

// An entry is one property of a section.
type entry struct {
	key   string
	at    int // offset
	value value
}

// A value is that of a key, or one item of an array.
type value struct {
	kind  unstable.Kind
	text  string  // the content of a string; a number or a boolean as it is written
	items []value // of an array or an inline table
	at    int     // offset
}

// read parses the file into sections. After a syntax error it continues with the next line.
func (d *document) read() {
	var p unstable.Parser
	var header []string // of the current table; nil: none yet
	known := true       // the header is one of ours
	for start := 0; ; {
		p.Reset(d.data[start:])
		for p.NextExpression() {
			node := p.Expression()
			path, at := d.key(node, start)
			switch {
			case node.Kind != unstable.KeyValue:
				header, known = path, d.head(path, at, node.Kind == unstable.ArrayTable)
			case known:
				v := d.value(node.Value(), start, d.valueStart(node, start))
				d.entry(append(slices.Clone(header), path...), at, v)
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

// key returns the parts of a dotted key or a header, and the offset of the last part of a key or the first of a header.
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

// valueStart returns the offset of a key's value.
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

// value returns the value of a node. The parser has no offset for some values: theirs is at.
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

// head begins the section of a header, and reports whether the header is one of ours.
func (d *document) head(path []string, at int, list bool) bool {
	switch {
	case list:
		d.mistake(at, "use one pair of brackets: [device.NAME]", "an array of tables")
	case len(path) == 1 && path[0] != headDefaults && depths[path[0]] > 0:
		return true
	case len(path) == depths[path[0]] && isTable(path):
		d.section(path[:len(path)-1], at)
		return true
	case len(path) > 0 && len(path) == depths[path[0]]-1:
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

// section returns the section of a path. A new one is added.
func (d *document) section(path []string, at int) *section {
	device := ""
	if path[0] != headDefaults {
		device = path[1]
		if device == "" {
			d.mistake(at, "", "a %s without a name", path[0])
		}
	}
	s := d.sections[strings.Join(path, "\x00")]
	if s == nil {
		const usual = 4
		s = &section{head: path[0], device: device, at: at, entries: make([]entry, 0, usual), keys: map[string]int{}}
		d.sections[strings.Join(path, "\x00")] = s
		d.order = append(d.order, s)
	}
	return s
}

// entry adds a value to the section of its path. An inline table can take the place of a header.
func (d *document) entry(path []string, at int, v value) {
	depth := depths[path[0]]
	switch {
	case depth > 0 && len(path) > depth && isTable(path[:depth]):
		d.pair(path, depth, at, v)
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
		pairs := v.items
		if v.kind == unstable.InlineTable && isTable(path) {
			v.items = nil
		}
		s.entries = append(s.entries, entry{key, at, v})
		if v.items == nil {
			for _, one := range pairs {
				d.pair(append(slices.Clone(path), strings.Split(one.text, "\x00")...), depth, one.at, one.items[0])
			}
		}
	}
}

// depths has the number of the parts of a key in the sections of each header.
var depths = map[string]int{headDefaults: 2, headDevice: 3, headBridge: 3}

// isTable reports whether the last part of the path of a key is a key of type table.
func isTable(path []string) bool {
	table := keys()
	if path[0] == headBridge {
		table = bridgeKeys()
	}
	k := keyIn(table, path[len(path)-1])
	return k != nil && k.kind == "table"
}

// pair adds a value to a table that is the value of a key.
func (d *document) pair(path []string, depth, at int, v value) {
	s, key := d.section(path[:depth-1], at), path[depth-1]
	if _, there := s.keys[key]; !there {
		s.keys[key] = at
		s.entries = append(s.entries, entry{key, at, value{kind: unstable.InlineTable, at: at}})
	}
	for i := range s.entries {
		if e := &s.entries[i]; e.key == key {
			item := value{kind: unstable.KeyValue, text: strings.Join(path[depth:], "\x00"), at: at, items: []value{v}}
			for _, other := range e.value.items {
				if dotted(other.text) == dotted(item.text) { // "a.b" in quotes is the same name as a.b here
					d.twice(at, dotted(item.text), other.at)
					return
				}
			}
			e.value.items = append(e.value.items, item)
		}
	}
}

// dotted returns the parts of a key, which have a zero byte in between, with dots.
func dotted(key string) string { return strings.ReplaceAll(key, "\x00", ".") }
