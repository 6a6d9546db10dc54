package declare

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/link"
)

// A schema has the fields of a JSON schema that ours uses.
type schema struct {
	Type                                       any // a string, or a list of them
	Description, Pattern                       string
	Enum                                       []string
	Minimum, Maximum                           *int64
	Items                                      *schema
	Properties, PatternProperties, Definitions map[string]*schema
	AdditionalProperties                       any
	AllOf                                      []*schema
	Ref                                        string `json:"$ref"`
}

// readSchema returns the schema and its properties of a device.
func readSchema(t *testing.T) (all *schema, properties map[string]*schema) {
	t.Helper()
	if err := json.Unmarshal([]byte(readDocument(t, "../../share/tunadm.schema.json")), &all); err != nil {
		t.Fatal(err)
	}
	defaults, device, each := all.Properties["defaults"], all.Properties["device"], all.Definitions["properties"]
	if defaults == nil || device == nil || each == nil || len(device.PatternProperties) != 1 {
		t.Fatal("the schema has a shape that this test does not know")
	}
	for _, s := range []*schema{all, device, each} {
		if s.AdditionalProperties != false {
			t.Error("the schema accepts unknown keys")
		}
	}
	const ref = "#/definitions/properties"
	for _, s := range append(defaults.AllOf, slices.Collect(maps.Values(device.PatternProperties))...) {
		if s.Ref != ref {
			t.Errorf("got %q, want %q", s.Ref, ref)
		}
	}
	return all, each.Properties
}

func readDocument(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestTheSchemaHasTheKeysOfTheFile compares the keys, their types and their bounds.
func TestTheSchemaHasTheKeysOfTheFile(t *testing.T) {
	all, properties := readSchema(t)
	compareKeys(t, keys(), properties)
	compareKeys(t, bridgeKeys(), all.Definitions["bridge"].Properties)
	compareKeys(t, portKeys(), all.Definitions["port"].Properties)
	for _, word := range properties["mode"].Enum {
		if _, err := link.ParseMode(word); err != nil {
			t.Error(err)
		}
	}
	if len(properties["mode"].Enum) != 2 {
		t.Errorf("modes: %v", properties["mode"].Enum)
	}
}

func compareKeys(t *testing.T, table []key, properties map[string]*schema) {
	t.Helper()
	for name, p := range properties {
		if keyIn(table, name) == nil {
			t.Errorf("%s is not a key", name)
		}
		if p.Description == "" {
			t.Errorf("%s is not described", name)
		}
	}
	for _, k := range table {
		p := properties[k.name]
		if p == nil {
			t.Errorf("no %s", k.name)
			continue
		}
		want := map[string]any{"string or integer": []any{"string", "integer"}, "table": "object",
			"array of integers": "array"}[k.kind]
		if want == nil {
			want = k.kind
		}
		if fmt.Sprint(p.Type) != fmt.Sprint(want) {
			t.Errorf("%s is of type %v, want %v", k.name, p.Type, want)
		}
		if k.kind == "array" && (p.Items == nil || p.Items.Type != "string") {
			t.Errorf("%s has items that are not strings", k.name)
		}
		if !strings.Contains(k.kind, "integer") {
			continue
		}
		if k.kind == "array of integers" {
			p = p.Items
		}
		if p.Minimum == nil || *p.Minimum != k.least || p.Maximum == nil || *p.Maximum != k.most {
			t.Errorf("%s has other bounds than %d and %d", k.name, k.least, k.most)
		}
	}
}

// TestTheSchemaAcceptsWhatTheProgramAccepts tries valid and invalid values with each pattern.
func TestTheSchemaAcceptsWhatTheProgramAccepts(t *testing.T) {
	all, properties := readSchema(t)
	names := slices.Collect(maps.Keys(all.Properties["device"].PatternProperties))
	for _, c := range []struct {
		key, pattern string
		texts        []string
	}{
		{"[device]", names[0], []string{
			"tun77", "tap.0a", "-x", "ü\"", "tunabcdefghijkl", "tunabcdefghijklm", "tap[0-9]", "vm[08-11]b",
			"tunabcdefghij[10-20]",
			"tap[0-9]b[0-9]", "tap[3]", "a b", "a/b", "a:b", "tap]", "",
		}},
		{"addresses", properties["addresses"].Items.Pattern, []string{
			"10.0.0.1/24", "10.0.0.1", "fd00::1/64", "FD00::A", "10.0.0.1 peer 10.0.0.2",
			" 10.0.0.1  peer\t10.0.0.2/32 ", "10.{n}.0.1/24",
			"fd00:{n:02x}::1/64", "10.0.0.1 to 10.0.0.2", "tun77", "",
		}},
		{"routes", properties["routes"].Items.Pattern, []string{
			"10.1.0.0/16", "default via 10.0.0.2", "default", "10.1.0.0/16 via 10.0.0.2 metric 5 table main",
			"10.{n}.0.0/16 table 1{n:02d}",
			"::/0 table 7  metric {n}", " 10.1.0.0/16 ", "10.1.0.0/16 dev tun77", "10.1.0.0/16 via", "via 10.0.0.2", "",
		}},
		{"mac", properties["mac"].Pattern, []string{
			"02:00:5e:10:00:01", "02-00-5E-10-00-01", "0200.5e10.0001", "02:00:5e:10:00:{n:02x}",
			"02:00:5e:10:0{n}:01", "0200.5e10.00{n:02x}",
			"01:00:5e:00:00:01", "02:00:5e:10:00", "02005e100001", "02005e10000", "",
		}},
		{"master", properties["master"].Pattern, []string{
			"br0", "br{n}", "br{n:02x}", "abcdefghijkl{n:03d}", "abcdefghijklmno", "a/b", "br0:1",
			"abcdefghijklmnop", "",
		}},
	} {
		pattern := regexp.MustCompile(c.pattern)
		refused := 0
		for _, text := range c.texts {
			matches := pattern.MatchString(text)
			if isGood(c.key, text) && !matches {
				t.Errorf("%s: the schema refuses %q", c.key, text)
			}
			if !matches {
				refused++
			}
		}
		if refused == 0 {
			t.Errorf("%s: the schema refuses nothing at all", c.key)
		}
	}
}

// isGood reports whether a file may have the text as the value of a key, in a range of devices.
func isGood(key, text string) bool {
	file := fmt.Sprintf("[device.\"tap[16-17]\"]\n%s = %s\n", key, tomlText(text))
	switch key {
	case "[device]":
		file = fmt.Sprintf("[device.%s]\nmode = \"tap\"\n", tomlKey(text))
	case "addresses", "routes":
		file = fmt.Sprintf("[device.\"tap[16-17]\"]\n%s = [%s]\n", key, tomlText(text))
	case "mac":
		if !strings.Contains(text, "{n") {
			file = strings.Replace(file, "[16-17]", "", 1)
		}
	}
	_, mistakes := parse("f", []byte(file))
	return len(mistakes) == 0
}

// TestTheManualHasTheKeysOfTheFile finds each key with its type and its bounds, and no other.
func TestTheManualHasTheKeysOfTheFile(t *testing.T) {
	describedKeys(t, "KEYS", keys())
	describedKeys(t, "BRIDGES", bridgeKeys())
	describedKeys(t, "PORTS OF BRIDGES", portKeys())
}

func describedKeys(t *testing.T, section string, table []key) {
	t.Helper()
	_, list, _ := strings.Cut(readDocument(t, "../../man/tunadm.toml.5"), "\n.Sh "+section+"\n")
	list, _, _ = strings.Cut(list, "\n.Sh ")
	described := map[string]string{}
	for _, item := range regexp.MustCompile(`(?m)^\.It Cm ([a-z_]+)\n\.Pq (.*)\n`).FindAllStringSubmatch(list, -1) {
		described[item[1]] = item[2]
	}
	if n := strings.Count(list, "\n.It "); n != len(described) {
		t.Errorf("%d items, %d of them keys with a type and a text", n, len(described))
	}
	for _, k := range table {
		want := map[string]string{"array": "array of strings", "string or integer": "string, or integer"}[k.kind]
		if want == "" {
			want = k.kind
		}
		if k.most != 0 && k.kind != "array of integers" {
			want = fmt.Sprintf("%s from %d to %d", want, k.least, k.most)
		}
		if got := described[k.name]; got != want {
			t.Errorf("%s: got %q, want %q", k.name, got, want)
		}
		delete(described, k.name)
	}
	for name := range described {
		t.Errorf("%s is not a key", name)
	}
}

// TestTheFilesOfTheManualAreRead reads the blocks that follow the comment .\" file. None takes a device down: at each
// boot, tunadm-late.service would remove the routes that the network configuration has added in between.
func TestTheFilesOfTheManualAreRead(t *testing.T) {
	const start, end = ".\\\" file\n.Bd -literal -offset indent\n", "\n.Ed\n"
	files := 0
	for _, page := range []string{"../../man/tunadm.toml.5", "../../man/tunadm.8"} {
		for _, block := range strings.Split(readDocument(t, page), start)[1:] {
			text, _, _ := strings.Cut(block, end)
			text = strings.NewReplacer(`\(aq`, "'", `\e`, `\`, `\&`, "").Replace(text) + "\n"
			declarations, mistakes := parse(page, []byte(text))
			for _, m := range mistakes {
				t.Errorf("%v\n%s", m, m.Source)
			}
			for _, d := range declarations {
				if d.Spec.Up == nil || !*d.Spec.Up {
					t.Errorf("%s: %s is taken down by\n%s", page, d.Spec.Name, text)
				}
			}
			if len(declarations) == 0 {
				t.Errorf("%s: no device is declared by\n%s", page, text)
			}
			files++
		}
	}
	if files < 5 {
		t.Errorf("%d files", files)
	}
}
