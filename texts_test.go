package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// wideFiles are tables and data, whose lines cannot be broken. The lines of a manual are those of the printed page.
var wideFiles = []string{"man/*", "testing/tools", "share/*.json", "commands/testdata/*.lines"}

// mayBeWide reports whether a line cannot be broken: a row or a literal block of Markdown, or a command of a test
// script.
func mayBeWide(path, line string) bool {
	switch filepath.Ext(path) {
	case ".md":
		return strings.HasPrefix(line, "|") || strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "<!--")
	case ".txtar":
		return !strings.HasPrefix(line, "#")
	}
	return false
}

// TestLinesAreNotTooWide counts the columns of every line of text, with a tab every 4.
func TestLinesAreNotTooWide(t *testing.T) {
	const widest, tab = 120, 4
	for _, path := range texts(t) {
		if slices.ContainsFunc(wideFiles, func(pattern string) bool {
			wide, _ := filepath.Match(pattern, path)
			return wide
		}) {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i, line := range strings.Split(string(text), "\n") {
			columns := 0
			for _, r := range line {
				if columns++; r == '\t' {
					columns = (columns + tab - 1) / tab * tab
				}
			}
			if columns > widest && !mayBeWide(path, line) {
				t.Errorf("%s:%d: %d columns", path, i+1, columns)
			}
		}
	}
}

// TestNoMergeIsUnfinished looks for the lines with which git marks a conflict.
func TestNoMergeIsUnfinished(t *testing.T) {
	mark := regexp.MustCompile(`(?m)^(<{7}|={7}|>{7})( |$)`)
	for _, path := range texts(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if at := mark.FindString(string(text)); at != "" {
			t.Errorf("%s: %q: an unfinished merge", path, at)
		}
	}
}

// texts returns the paths of the program's own texts: sources, scripts, pages and test scripts.
func texts(t *testing.T) (paths []string) {
	t.Helper()
	kinds := strings.Fields(".go .c .py .bash .fish .md .txtar .service .timer .yml .lsb .openrc .toml .5 .8")
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "dist", "vendor"}, path):
			return fs.SkipDir
		case d.Type().IsRegular() && (slices.Contains(kinds, filepath.Ext(path)) || isScript(path)):
			paths = append(paths, path)
		}
		return nil
	})
	if err != nil || len(paths) < 300 {
		t.Fatalf("%d texts, %v", len(paths), err)
	}
	return paths
}

// isScript reports whether a file begins as a script does, or is the Makefile or the completions for zsh.
func isScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 8)
	n, _ := f.Read(head)
	return slices.Contains([]string{"Makefile", "_tunadm"}, filepath.Base(path)) || string(head[:min(n, 2)]) == "#!"
}

// TestTheGuideNamesEveryRoom looks for the folders in CONTRIBUTING.md.
func TestTheGuideNamesEveryRoom(t *testing.T) {
	guide, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string]bool{}
	for _, path := range texts(t) {
		if dir := strings.Split(filepath.ToSlash(path), "/"); len(dir) > 2 && dir[0] == "internal" {
			rooms["internal/"+dir[1]] = true
		} else if len(dir) > 1 && !strings.HasPrefix(path, ".") {
			rooms[dir[0]] = true
		}
	}
	delete(rooms, "internal")
	for room := range rooms {
		if !strings.Contains(string(guide), "`"+room+"`") {
			t.Errorf("CONTRIBUTING.md does not name %s", room)
		}
	}
	for _, named := range regexp.MustCompile("`(internal/[a-z]+)`").FindAllStringSubmatch(string(guide), -1) {
		if !rooms[named[1]] {
			t.Errorf("CONTRIBUTING.md names %s, which does not exist", named[1])
		}
	}
}
