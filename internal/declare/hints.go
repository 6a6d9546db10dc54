package declare

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
)

// unknownKeyHint returns the hint for a key that does not exist, or "".
func unknownKeyHint(name string) string {
	if name == "netns" {
		return "give the namespace to the run: tunadm apply --netns NS FILE"
	}
	property, remark := words.Property(name)
	if remark != "" {
		return remark
	}
	lower := strings.ReplaceAll(strings.ToLower(name), "-", "_")
	near := strings.ReplaceAll(cmp.Or(property, lower), "-", "_")
	near = cmp.Or(map[string]string{"address": "addresses", "route": "routes"}[near], near)
	if findKey(near) == nil {
		return nearestKey(lower, keys())
	}
	return "did you mean " + near + "?"
}

// nearestKey returns the hint that names the key of a table that was probably meant, or "".
func nearestKey(name string, table []key) string {
	var known []string
	for _, k := range table {
		known = append(known, k.name)
	}
	near := words.Nearest(name, known)
	if near == "" {
		return ""
	}
	return "did you mean " + near + "?"
}

// wrongType returns the error of a value of the wrong type, with the correct line as its hint.
func wrongType(k key, v value) error {
	is := map[unstable.Kind]string{
		unstable.String: "a string", unstable.Integer: "an integer", unstable.Bool: "a boolean",
		unstable.Array: "an array", unstable.Float: "a float", unstable.InlineTable: "a table",
	}[v.kind]
	if is == "" {
		is = "a date"
	}
	hint := ""
	switch {
	case k.name == "master" && v.text == "false":
		hint = `master = "" removes the master`
	case len(v.items) == 0:
		hint = k.right(v.text)
	}
	return valueErrors{{v.at, "must be " + k.required() + ", not " + is, hint}}
}

// required returns the type of the key's value, with an article.
func (k key) required() string {
	switch k.kind {
	case "array":
		return "an array of strings"
	case "array of integers":
		return "an array of integers"
	case "table":
		return "a table in braces"
	case "boolean":
		return "true or false"
	case "integer":
		return "an integer"
	}
	return "a string in quotes"
}

// right returns the correct line for a word as the value, or "" if the word cannot be a value of the key.
func (k key) right(word string) string {
	switch k.kind {
	case "array":
		return fmt.Sprintf("%s = [%q]", k.name, word)
	case "boolean":
		truth := map[string]bool{
			"on": true, "yes": true, "true": true, "1": true, "off": false, "no": false, "false": false, "0": false,
		}
		if b, known := truth[strings.ToLower(word)]; known {
			return fmt.Sprintf("%s = %t", k.name, b)
		}
		return ""
	case "table", "array of integers":
		return ""
	case "integer":
		if n, err := strconv.Atoi(word); err == nil {
			return fmt.Sprintf("%s = %d", k.name, n)
		}
		return ""
	}
	return fmt.Sprintf("%s = %q", k.name, word)
}

// explainSyntax returns the most frequent reason why a line is not TOML, or else the parser's message.
func explainSyntax(line, message string) (text, hint string) {
	name, rest, isEntry := strings.Cut(line, "=")
	name = strings.TrimSpace(name)
	k := findKey(name)
	rest, _, _ = strings.Cut(rest, "#")
	bare, _, _ := strings.Cut(rest, "//")
	word := strings.Trim(bare, " \t,;\u201c\u201d\u2018\u2019")
	switch {
	case isEntry && k != nil && strings.TrimSpace(rest) == "":
		return name + " has no value", ""
	case isEntry && k != nil && word != "" && !strings.ContainsAny(rest, `"'[{`):
		if right := k.right(word); right != strings.TrimSpace(line) {
			return name + ": must be " + k.required() + ", not " + words.Escape(strings.TrimSpace(rest)), right
		}
	case strings.HasPrefix(name, "[") && strings.Count(line, "[") > 1 && !strings.ContainsAny(line, `"'`):
		return words.Escape(message), `quote a range of names: [device."tap[0-9]"]`
	case strings.HasPrefix(name, "//") || strings.HasPrefix(name, ";"):
		return "a comment begins with #", ""
	}
	return words.Escape(message), ""
}

// twice refuses a key or a header that is defined a second time.
func (d *document) twice(at int, what string, first int) {
	line, _ := d.lineStart(first)
	d.mistake(at, "", "%s is defined twice: first in line %d", words.Escape(what), line)
}

// unknownPath refuses a header, or a key outside of the sections. The hint is what was probably meant.
func (d *document) unknownPath(path []string, at int) {
	shown, last := words.Escape(strings.Join(path, ".")), path[len(path)-1]
	inDevice := path[0] == headDevice || path[0] == headBridge
	dotted := func(parts []string) string {
		return fmt.Sprintf("quote a name with dots: [%s.%q]", path[0], strings.Join(parts, "."))
	}
	switch {
	case inDevice && len(path) == 2:
		name := words.Escape(last)
		d.mistake(at, "put its keys below ["+path[0]+"."+name+"]", "%s %q must be a table, not a value", path[0], name)
	case inDevice && len(path) == 3 && findKey(last) != nil:
		hint := last + " is a key: put it in its own line below [" + path[0] + "." + words.Escape(path[1]) + "]"
		d.mistake(at, hint, "unknown table %q", shown)
	case inDevice && len(path) > 2 && findKey(last) == nil:
		d.mistake(at, dotted(path[1:]), "unknown table %q", shown)
	case inDevice && len(path) > 3:
		d.mistake(at, dotted(path[1:len(path)-1]), "unknown table %q", shown)
	case len(path) == 1 && findKey(last) != nil:
		d.mistake(at, "put it below [device.NAME] or [defaults]", "%s is outside of a table", shown)
	case len(path) == 1 && link.ModeOf(last) != 0:
		d.mistake(at, "did you mean [device."+shown+"]?", "unknown table %q", shown)
	default:
		hint := words.Nearest(path[0], []string{headDefaults, headDevice, headBridge})
		if hint != "" {
			hint = "did you mean " + hint + "?"
		}
		d.mistake(at, hint, "unknown table %q: the tables are [defaults], [device.NAME] and [bridge.NAME]", shown)
	}
}
