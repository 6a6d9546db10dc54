package link

import (
	"slices"
	"strings"
	"testing"
)

func TestPatternsMatchWholeNames(t *testing.T) {
	for word, want := range map[string][]string{
		"vm*":       {"vm", "vm0", "vm10", "vmx"},
		"*":         {"vm", "vm0", "vm10", "vmx", "tap07", "tap7", "x-07b"},
		"vm?":       {"vm0", "vmx"},
		"vm[0-3]":   {"vm0"},
		"vm[5-12]":  {"vm10"},
		"tap[0-9]":  {"tap7"},
		"tap[00-9]": {"tap07"},
		"*[00-15]?": {"x-07b"},
		"*[0-3]":    {"vm0", "vm10"},
		"tap":       nil,
		"m*":        nil,

		strings.Repeat("*", 60) + "x": {"vmx"},
	} {
		p, err := ParsePattern(word)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, name := range []string{"vm", "vm0", "vm10", "vmx", "tap07", "tap7", "x-07b"} {
			if p.Matches(name) {
				got = append(got, name)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s matches %q, want %q", word, got, want)
		}
	}
}

// TestAPatternMatchesTheNamesOfItsRange compares the two meanings of one notation.
func TestAPatternMatchesTheNamesOfItsRange(t *testing.T) {
	for _, word := range []string{"vm[0-120]", "vm[07-12]x", "[0-9]", "a[098-101]", "plain"} {
		p, err := ParsePattern(word)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range p.Names() {
			if !p.Matches(name) {
				t.Errorf("%s does not match %s", word, name)
			}
			if p.Matches(name+"0") && !slices.Contains(p.Names(), name+"0") {
				t.Errorf("%s matches %s", word, name+"0")
			}
		}
	}
	for _, word := range []string{"tap[", "tap[0]", "tap[3-1]", "tap[0-65536]", "tap[0-1][0-1]", "tap[a-b]"} {
		if _, err := ParsePattern(word); err == nil {
			t.Errorf("%s is accepted", word)
		}
	}
}
