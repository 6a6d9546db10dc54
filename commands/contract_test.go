package commands

import (
	"encoding/json"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const contractFile = "testdata/contract/1.txt"

// TestTheContractIsKept compares the flags, exit codes, JSON keys and file keys of the program with those that the
// manual calls stable. A line of the contract is never removed or changed. Before a release, TUNADM_TEST_CONTRACT=add
// adds what is new.
func TestTheContractIsKept(t *testing.T) {
	lines := contract(t)
	promised := strings.Split(strings.TrimSuffix(read(t, contractFile), "\n"), "\n")
	for _, line := range promised {
		if !slices.Contains(lines, line) {
			t.Errorf("the program has no more, or has changed: %s", line)
		}
	}
	if len(promised) < 300 {
		t.Errorf("%s has %d lines", contractFile, len(promised))
	}
	if os.Getenv("TUNADM_TEST_CONTRACT") == "add" && !t.Failed() {
		if err := os.WriteFile(contractFile, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
			t.Error(err)
		}
	}
}

// contract returns what scripts rely on, one thing a line, sorted.
func contract(t *testing.T) (lines []string) {
	add := func(words ...string) { lines = append(lines, strings.Join(words, " ")) }
	for _, v := range verbs() {
		for _, name := range append([]string{v.name}, v.aliases...) {
			add("verb", name)
		}
		for _, f := range allFlags(v) {
			value := " VALUE"
			if f.isSwitch {
				value = ""
			} else if f.implied != "" {
				value = "[=VALUE]"
			}
			for _, s := range spellings(f) {
				add("flag", v.name, s+value)
			}
		}
	}
	codes := regexp.MustCompile(`(?m)^\texit([A-Z]\w+) += (\d+)`).FindAllStringSubmatch(read(t, "exit_codes.go"), -1)
	for _, code := range codes {
		add("exit", code[2], code[1])
	}
	for verb, object := range map[string]any{
		"list": jsonDevice{}, "add": jsonStep{}, "watch": jsonEvent{}, "doctor": jsonFinding{}, "apply": jsonResult{},
		"trace": jsonTraced{}, "status": jsonStatus{},
	} {
		for _, key := range jsonKeys(reflect.TypeOf(object), "") {
			add("json", verb, key)
		}
	}
	for _, key := range fileKeys(t) {
		add("file", key)
	}
	slices.Sort(lines)
	return slices.Compact(lines)
}

// jsonKeys returns the keys of an object, with their types, and those of the objects in it: "attached.pid integer".
func jsonKeys(object reflect.Type, prefix string) (keys []string) {
	for object.Kind() == reflect.Pointer || object.Kind() == reflect.Slice {
		object = object.Elem()
	}
	if object.Kind() != reflect.Struct {
		return nil
	}
	for i := range object.NumField() {
		field := object.Field(i)
		if key, _, _ := strings.Cut(field.Tag.Get("json"), ","); key != "" {
			keys = append(keys, prefix+key+" "+jsonType(field.Type))
			keys = append(keys, jsonKeys(field.Type, prefix+key+".")...)
		}
	}
	return keys
}

// jsonType returns the name of a type as JSON has it.
func jsonType(of reflect.Type) string {
	switch of.Kind() {
	case reflect.Pointer:
		return jsonType(of.Elem()) + " or null"
	case reflect.Slice:
		return "array of " + jsonType(of.Elem())
	case reflect.Struct, reflect.Map:
		return "object"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Interface:
		return "any"
	}
	return "integer"
}

// fileKeys returns the keys of the file with each of their types, as the schema has them: other tests compare it with
// the program.
func fileKeys(t *testing.T) (keys []string) {
	type object struct {
		Type       any
		Properties map[string]object
	}
	var schema struct {
		object
		Definitions map[string]object
	}
	if err := json.Unmarshal([]byte(read(t, "../share/tunadm.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	for table := range maps.Keys(schema.Properties) {
		keys = append(keys, table)
	}
	for table, of := range schema.Definitions {
		for key, value := range of.Properties {
			types, several := value.Type.([]any)
			if !several {
				types = []any{value.Type}
			}
			for _, kind := range types {
				name, _ := kind.(string)
				keys = append(keys, table+"."+key+" "+name)
			}
		}
	}
	return keys
}
