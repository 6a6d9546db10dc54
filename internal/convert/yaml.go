package convert

import "strings"

// A node is a value of a YAML file: a scalar, or a mapping or a list of other nodes. The key of a list's item is "-".
type node struct {
	setting
	items []*node
}

// A yamlReader reads the part of YAML that files of netplan consist of: mappings and lists by indentation, lists in
// brackets on one line, and scalars with or without quotes.
type yamlReader struct {
	source *Source
	lines  []yamlLine
	at     int
}

// A yamlLine is a line without its comment.
type yamlLine struct {
	number, indent int
	text           string
}

// yaml returns the nodes of a file, up to the first line that is not supported.
func yaml(s *Source) []*node {
	r := &yamlReader{source: s}
	for n, line := range s.lines {
		text := strings.TrimLeft(line, " ")
		if clean := uncomment(text); clean != "" && clean != "---" {
			r.lines = append(r.lines, yamlLine{n + 1, len(line) - len(text), clean})
		}
	}
	all := r.block(0, 0)
	if r.at < len(r.lines) {
		n := r.lines[r.at].number
		s.leave(n, n, "the file is read only up to here: YAML that is not supported")
	}
	return all
}

// uncomment removes a comment, and blanks at the end.
func uncomment(text string) string {
	quote := rune(0)
	for i, c := range text {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
			return strings.TrimRight(text[:i], " \t\r")
		}
	}
	return strings.TrimRight(text, " \t\r")
}

// depthMax is the depth of the deepest node that is read.
const depthMax = 20

// block reads the nodes of one indentation.
func (r *yamlReader) block(indent, depth int) (all []*node) {
	for r.at < len(r.lines) && r.lines[r.at].indent == indent && depth < depthMax {
		line := &r.lines[r.at]
		n := &node{setting: setting{source: r.source, first: line.number, last: line.number}}
		if rest, item := strings.CutPrefix(line.text+" ", "- "); item {
			n.key = "-"
			rest = strings.TrimLeft(rest, " ")
			if _, _, mapping := pair(strings.TrimRight(rest, " ")); mapping {
				line.indent += len(line.text) + 1 - len(rest)
				line.text = strings.TrimRight(rest, " ")
				n.items = r.block(line.indent, depth+1)
				all = append(all, n)
				continue
			}
			n.value = strings.TrimRight(rest, " ")
		} else {
			key, value, ok := pair(line.text)
			if !ok {
				return all
			}
			n.key, n.value = key, value
		}
		if !n.scalar() {
			return all
		}
		r.at++
		if n.value == "" && len(n.items) == 0 && r.at < len(r.lines) {
			next := r.lines[r.at]
			if next.indent > indent || next.indent == indent && n.key != "-" && strings.HasPrefix(next.text, "-") {
				n.items = r.block(next.indent, depth+1)
			}
		}
		all = append(all, n)
	}
	return all
}

// pair splits "key: value". The key may be in quotes.
func pair(text string) (key, value string, ok bool) {
	end := 0
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		if end = strings.IndexByte(text[1:], text[0]) + 2; end == 1 {
			return "", "", false
		}
	}
	colon := strings.Index(text[end:]+" ", ": ")
	if colon < 0 || colon == 0 && end == 0 {
		return "", "", false
	}
	key = strings.Trim(text[:end+colon], `"'`)
	return key, strings.TrimSpace(strings.TrimPrefix(text[end+colon:], ":")), true
}

// scalar removes the quotes of a value, and splits a list in brackets. It returns false for a value that is not
// supported.
func (n *node) scalar() bool {
	v := n.value
	switch {
	case v == "" || v == "{}" || v == "[]" || v == "null" || v == "~":
		n.value = ""
	case v[0] == '[' || v[0] == '{':
		rest, ok := n.flow(v, 0)
		if n.value = ""; !ok || strings.TrimSpace(rest) != "" {
			return false
		}
	case v[0] == '"' || v[0] == '\'':
		if len(v) < 2 || v[len(v)-1] != v[0] || strings.ContainsAny(v[1:len(v)-1], `\`+v[:1]) {
			return false
		}
		n.value = v[1 : len(v)-1]
	case strings.ContainsAny(v[:1], "&*!|>%@`"):
		return false
	}
	return true
}

// flow reads a list in brackets or a mapping in braces, and returns the text after it.
func (n *node) flow(text string, depth int) (rest string, ok bool) {
	end := map[byte]string{'[': "]", '{': "}"}[text[0]]
	for text = strings.TrimLeft(text[1:], " "); depth < depthMax; text = strings.TrimLeft(text, " ") {
		if after, closed := strings.CutPrefix(text, end); closed {
			return after, true
		}
		one := &node{setting: n.setting}
		one.key, one.value = "-", ""
		if end == "}" {
			if one.key, text, ok = strings.Cut(text, ":"); !ok || strings.ContainsAny(one.key, "{}[],") {
				return "", false
			}
			one.key, text = strings.Trim(strings.TrimSpace(one.key), `"'`), strings.TrimLeft(text, " ")
		}
		if text == "" {
			return "", false
		} else if text[0] == '[' || text[0] == '{' {
			text, ok = one.flow(text, depth+1)
		} else {
			text, ok = one.word(text)
		}
		after, more := strings.CutPrefix(strings.TrimLeft(text, " "), ",")
		if !ok || !more && !strings.HasPrefix(after, end) { // such as a brace at the end of a list
			return "", false
		}
		n.items = append(n.items, one)
		text = after
	}
	return "", false
}

// word reads a scalar in a list or a mapping, and returns the text after it.
func (n *node) word(text string) (rest string, ok bool) {
	if quote := text[0]; quote == '"' || quote == '\'' {
		value, rest, closed := strings.Cut(text[1:], string(quote))
		n.value = value
		return rest, closed && !strings.Contains(value, `\`)
	}
	end := strings.IndexAny(text, ",]}")
	if end < 0 {
		return "", false
	}
	n.value = strings.TrimSpace(text[:end])
	return text[end:], true
}

// item returns the node of a key, or nil.
func (n *node) item(key string) *node {
	for _, i := range n.items {
		if i.key == key {
			return i
		}
	}
	return nil
}

// text returns the value of a key, or "".
func (n *node) text(key string) string {
	if i := n.item(key); i != nil {
		return i.value
	}
	return ""
}

// mark marks a node and all nodes below it as imported.
func (n *node) mark() {
	n.said()
	for _, i := range n.items {
		i.mark()
	}
}

// rest adds remarks to the nodes that nobody has read.
func (n *node) rest() {
	for _, i := range n.items {
		last := len(i.items) - 1
		switch {
		case i.first == n.first && i.key != "-" && !i.taken: // in braces
			i.without(i.key, "not supported")
		case last >= 0 && (i.key == "-" || i.items[last].first > i.first):
			i.said()
			i.rest()
		case !i.source.read[i.first-1]:
			i.leave("not supported")
		default:
			i.rest()
		}
	}
}
