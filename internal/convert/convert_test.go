package convert

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/tunadm/tunadm/internal/declare"
)

var update = flag.Bool("update", false, "write the results into testdata")

// A sample is an archive of testdata: files, the result, and lines whose removal changes nothing.
type sample struct {
	name    string
	archive *txtar.Archive
	sources []*Source
	idle    []string
	want    string
}

func samples(t testing.TB) (all []*sample) {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) < 2 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := &sample{name: path, archive: archive}
		for _, f := range archive.Files {
			switch f.Name {
			case "want":
				s.want = string(f.Data)
			case "idle":
				s.idle = strings.Split(string(f.Data), "\n")
			default:
				s.sources = append(s.sources, newSource(f.Name, string(f.Data)))
			}
		}
		all = append(all, s)
	}
	return all
}

// again returns the sources as if nobody had read them.
func (s *sample) again() (all []*Source) {
	for _, o := range s.sources {
		all = append(all, newSource(o.Path, o.Text))
	}
	return all
}

// TestConvert compares each archive of testdata with its result.
func TestConvert(t *testing.T) {
	for _, s := range samples(t) {
		got, err := Convert(s.again(), "")
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		if got != s.want && *update {
			s.archive.Files = slices.DeleteFunc(s.archive.Files, func(f txtar.File) bool { return f.Name == "want" })
			s.archive.Files = append(s.archive.Files, txtar.File{Name: "want", Data: []byte(got)})
			if err := os.WriteFile(s.name, txtar.Format(s.archive), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if got != s.want {
			t.Errorf("%s: got\n%s\nwant\n%s", s.name, got, s.want)
		}
		readable(t, got)
	}
}

// readable reads the result as apply does.
func readable(t *testing.T, text string) []declare.Declaration {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	declared, err := declare.Read([]string{path})
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return declared
}

// place matches the place of a remark.
var place = regexp.MustCompile(`(?m)^# (.+?):([0-9]+)(?:-([0-9]+))?: `)

// TestNoLineIsLost removes each line that has no remark. The result must change, or the archive lists the line as idle.
func TestNoLineIsLost(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(filepath.Base(s.name), func(t *testing.T) {
			t.Parallel()
			s.noLineIsLost(t)
		})
	}
}

func (s *sample) noLineIsLost(t *testing.T) {
	named := map[string]bool{}
	for _, m := range place.FindAllStringSubmatch(s.want, -1) {
		first, _ := strconv.Atoi(m[2])
		last, _ := strconv.Atoi(m[3])
		for n := first; n <= max(first, last); n++ {
			named[m[1]+":"+strconv.Itoa(n)] = true
		}
	}
	for i, source := range s.sources {
		for n, line := range source.lines {
			line = strings.TrimSpace(line)
			if line == "" || strings.ContainsAny(line[:1], "#;") || slices.Contains(s.idle, line) ||
				named[source.Path+":"+strconv.Itoa(n+1)] {
				continue
			}
			sources := s.again()
			rest := slices.Concat(source.lines[:n], source.lines[n+1:])
			sources[i] = newSource(source.Path, strings.Join(rest, "\n"))
			got, err := Convert(sources, "")
			if err == nil && stable(got) == stable(s.want) {
				t.Errorf("%s: %s:%d is neither imported nor named: %s", s.name, source.Path, n+1, line)
			}
		}
	}
}

// stable returns a result without the numbers of lines.
func stable(text string) string { return place.ReplaceAllString(text, "# $1: ") }

// FuzzConvert: no text stops the import, the result can be read, and each line is imported or named.
func FuzzConvert(f *testing.F) {
	for _, s := range samples(f) {
		for _, source := range s.sources {
			for n, name := range Formats() {
				if name == detect(source).name {
					f.Add(source.Text, n)
				}
			}
		}
	}
	for name, text := range map[string]string{
		"script":  "for '' in a b; do . ./more; done\ntunctl -t tap0\n",
		"netplan": "network:\n  ethernets:\n    tap0: {addresses: [10.0.0.1/24, true}\n",
	} {
		f.Add(text, slices.IndexFunc(formats(), func(f format) bool { return f.name == name }))
	}
	f.Fuzz(func(t *testing.T, text string, n int) {
		names := Formats()
		format := formats()[max(n, -n, 0)%len(names)]
		source := newSource("f", text)
		got, err := Convert([]*Source{source}, format.name)
		if err != nil {
			t.Fatal(err)
		}
		readable(t, got)
		for n := range source.lines {
			if line := source.line(n + 1); !source.read[n] && !format.empty(line) {
				t.Errorf("line %d is lost: %q", n+1, line)
			}
		}
	})
}
