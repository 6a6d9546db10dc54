package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTheCopyrightNamesEveryModule looks for the modules of go.mod, which source archives and programs contain.
func TestTheCopyrightNamesEveryModule(t *testing.T) {
	modules, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	copyright, err := os.ReadFile("packaging/debian/copyright")
	if err != nil {
		t.Fatal(err)
	}
	all := regexp.MustCompile(`(?m)^\t(\S+?)(?:/v\d+)? v`).FindAllStringSubmatch(string(modules), -1)
	if len(all) < 8 {
		t.Fatalf("%d modules", len(all))
	}
	for _, module := range all {
		if !strings.Contains(string(copyright), " vendor/"+module[1]+"/*") {
			t.Errorf("packaging/debian/copyright does not name %s", module[1])
		}
	}
}
