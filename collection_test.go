package main

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestTheCollectionHasTheVersionOfTheProgram compares the Ansible collection with the newest release of CHANGELOG.md.
func TestTheCollectionHasTheVersionOfTheProgram(t *testing.T) {
	find := func(path, pattern string) string {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?m)` + pattern).FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s has no %s", path, pattern)
		}
		return string(found[1])
	}
	want := find("CHANGELOG.md", `^## (\d\S*)`)
	if got := find("ansible/galaxy.yml", `^version: (\S+)$`); got != want {
		t.Errorf("ansible/galaxy.yml has version %s, CHANGELOG.md %s", got, want)
	}
	find("ansible/changelogs/changelog.yaml", `^  (`+regexp.QuoteMeta(want)+`):$`)
}

// TestTheOptionsOfTheCollectionAreTheKeysOfTheFile generates the options from the JSON schema again.
func TestTheOptionsOfTheCollectionAreTheKeysOfTheFile(t *testing.T) {
	nstest.NeedProgram(t, "python3")
	if out, err := exec.Command("ansible/generate", "--check").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
