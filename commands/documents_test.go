package commands

import (
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// allFlags are the flags of a verb and --help.
func allFlags(v verb) []*option { return append(v.command(&program{}).flags(), helpFlag()) }

// spellings are all ways to write a flag, with dashes.
func spellings(f *option) (all []string) {
	for i, name := range f.Names() {
		if len(name) > 1 || i == 0 {
			name = "-" + name
		}
		all = append(all, "-"+name)
	}
	return all
}

// pageOf returns the source of the manual page that describes the flags of a verb.
func pageOf(t *testing.T, v verb) string {
	name, _, _ := strings.Cut(cmp.Or(v.page, "tunadm(8)"), "(")
	return read(t, "../man/"+name+".8")
}

// TestTheManualHasAllVerbsAndFlags looks into the section of each verb, and of the properties.
func TestTheManualHasAllVerbsAndFlags(t *testing.T) {
	main := read(t, "../man/tunadm.8")
	for _, v := range verbs() {
		page := pageOf(t, v)
		heading := ".Ss " + strings.Join(append([]string{v.name}, v.aliases...), " , ") + "\n"
		_, section, ok := strings.Cut(page, heading)
		if !ok {
			t.Errorf("no %q", heading)
			continue
		}
		section = regexp.MustCompile(`(?s)\n\.S[hs] .*`).ReplaceAllString(section, "")
		for _, f := range allFlags(v) {
			for _, s := range spellings(f) {
				flag := regexp.MustCompile(`(?m)^\.(It )?Fl (-[a-z-]+ , )?` + regexp.QuoteMeta(s[1:]) + `( |$)`)
				if !flag.MatchString(section) {
					t.Errorf("%s: no %s", v.name, s)
				}
			}
			if name := f.Names()[0]; !regexp.MustCompile(`(?m)^\.It Fl -` + name + `( |$)`).MatchString(page + main) {
				t.Errorf("--%s is not described", name)
			}
		}
		_, also, _ := strings.Cut(section, "\nAlso:\n")
		for _, flag := range append(regexp.MustCompile(`(?m)^\.It Fl -([a-z-]+)`).FindAllStringSubmatch(section, -1),
			regexp.MustCompile(`(?m)^\.Fl -([a-z-]+)`).FindAllStringSubmatch(also, -1)...) {
			if find(allFlags(v), "--"+flag[1]) == nil {
				t.Errorf("%s has no --%s", v.name, flag[1])
			}
		}
		if !regexp.MustCompile(`(?m)^\.(Op )?Cm (.* )?` + v.name + `( |$)`).MatchString(main) {
			t.Errorf("the synopsis lacks %s", v.name)
		}
	}
}

// TestTheManualHasItsSections looks for the sections that a page refers to. On a page with another name, .Nm alone
// prints that name instead of the program's.
func TestTheManualHasItsSections(t *testing.T) {
	pages, _ := filepath.Glob("../man/*.[58]")
	references := 0
	for _, page := range pages {
		text := read(t, page)
		for _, to := range regexp.MustCompile(`(?m)\bSx (.*?)( [.,;:])?$`).FindAllStringSubmatch(text, -1) {
			references++
			if !regexp.MustCompile(`(?m)^\.S[sh] ` + regexp.QuoteMeta(to[1]) + `$`).MatchString(text) {
				t.Errorf("%s: no section %q", page, to[1])
			}
		}
		if page != "../man/tunadm.8" && regexp.MustCompile(`(?m)^\.Nm( [.,;:]|$)`).MatchString(text) {
			t.Errorf("%s: .Nm without a name", page)
		}
	}
	if references < 5 {
		t.Errorf("%d references", references)
	}
}

// TestTheManualFits renders all pages for 80 columns. In a longer tunadm(8), readers find nothing; the other pages have
// the details.
func TestTheManualFits(t *testing.T) {
	nstest.NeedProgram(t, "mandoc")
	pages, _ := filepath.Glob("../man/*.[58]")
	for _, page := range pages {
		out, err := exec.Command("mandoc", "-Tutf8", "-O", "width=78", page).Output()
		text := regexp.MustCompile(`.\x08`).ReplaceAllString(string(out), "") // overstrikes
		if lines := strings.Count(text, "\n"); err != nil || page == "../man/tunadm.8" && lines > 600 {
			t.Errorf("%s: %d lines, more than 600; %v", page, lines, err)
		}
		if n := widest(text); n > 80 {
			t.Errorf("%s: a line has %d columns", page, n)
		}
	}
	if len(pages) < 6 {
		t.Errorf("%d pages", len(pages))
	}
}

// TestTheManualHasTheThreatsOfEachVerb looks for each verb in the list of threats.
func TestTheManualHasTheThreatsOfEachVerb(t *testing.T) {
	_, threats, _ := strings.Cut(read(t, "../man/tunadm-packets.8"), "\n.Ss Threats by verb\n")
	threats, _, _ = strings.Cut(threats, "\n.Sh ")
	for _, v := range verbs() {
		if !strings.Contains(threats, "\n.It Cm "+v.name+"\n") {
			t.Errorf("the manual lacks the threats of %s", v.name)
		}
	}
}

// TestTheManualHasGoodRulesForSudo asks visudo about the example.
func TestTheManualHasGoodRulesForSudo(t *testing.T) {
	nstest.NeedProgram(t, "visudo")
	_, rules, _ := strings.Cut(read(t, "../man/tunadm.8"), "\n.Ss Rules for sudo\n")
	_, rules, _ = strings.Cut(rules, "\n.Bd -literal -offset indent\n")
	rules, _, found := strings.Cut(rules, ".Ed\n")
	file := filepath.Join(t.TempDir(), "sudoers")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(rules, `\e`, `\`)), 0o440); err != nil || !found {
		t.Fatalf("%v, found %v", err, found)
	}
	if out, err := exec.Command("visudo", "--check", "--strict", "--file="+file).CombinedOutput(); err != nil {
		t.Errorf("%v: %s\n%s", err, out, rules)
	}
}

// TestTheManualHasAllExitCodesAndKeys compares the tables.
func TestTheManualHasAllExitCodesAndKeys(t *testing.T) {
	page := read(t, "../man/tunadm.8")
	_, status, _ := strings.Cut(page, "\n.Sh EXIT STATUS\n")
	status, _, _ = strings.Cut(status, "\n.Sh ")
	readme := read(t, "../README.md")
	codes := regexp.MustCompile(`(?m)^\texit[A-Z]\w+ += (\d+)`).FindAllStringSubmatch(read(t, "exit_codes.go"), -1)
	if len(codes) < 12 {
		t.Fatalf("%d codes in exit_codes.go", len(codes))
	}
	for _, code := range codes {
		code := code[1]
		switch {
		case len(code) == 3: // of exec
			if !strings.Contains(read(t, "../man/tunadm-packets.8"), code+" if") {
				t.Errorf("the manual lacks exit status %s", code)
			}
		case !strings.Contains(status, "\n.It "+code+"\n"):
			t.Errorf("the manual lacks exit status %s", code)
		case !strings.Contains(readme, "| "+code+" | "):
			t.Errorf("the readme lacks exit code %s", code)
		}
	}
	source, objects := read(t, "json.go"), read(t, "../man/tunadm-json.5")
	keys := regexp.MustCompile("`json:\"([a-z_]+)\"`").FindAllStringSubmatch(source, -1)
	if len(keys) < 40 {
		t.Fatalf("%d keys in json.go", len(keys))
	}
	for _, key := range keys {
		if !regexp.MustCompile(`(?m)^\.(It|Op|Pq)? ?(Cm|It Cm)? ?.*\b` + key[1] + `\b`).MatchString(objects) {
			t.Errorf("the manual lacks the key %s", key[1])
		}
	}
}

// TestTheCompletionsHaveAllVerbsAndFlags runs what can be run: bash completes each verb's flags, and the others name
// them.
func TestTheCompletionsHaveAllVerbsAndFlags(t *testing.T) {
	nstest.NeedProgram(t, "bash")
	zsh, fish := read(t, "../completions/_tunadm"), read(t, "../completions/tunadm.fish")
	for _, v := range verbs() {
		for _, name := range append([]string{v.name}, v.aliases...) {
			offered := bashCompletes(t, name)
			for _, f := range allFlags(v) {
				for _, s := range spellings(f) {
					if !slices.Contains(offered, s) {
						t.Errorf("bash: %s has no %s", name, s)
					}
				}
			}
			for _, s := range offered {
				if find(allFlags(v), s) == nil {
					t.Errorf("bash: %s offers %s, which it has not", name, s)
				}
			}
			for file, text := range map[string]string{"zsh": zsh, "fish": fish} {
				if !regexp.MustCompile(`\b` + name + `\b`).MatchString(text) {
					t.Errorf("%s: no verb %s", file, name)
				}
			}
		}
		for _, f := range allFlags(v) {
			for _, name := range f.Names() {
				if !regexp.MustCompile(`-` + name + `\b`).MatchString(zsh) {
					t.Errorf("zsh: no %s", name)
				}
				if !regexp.MustCompile(`(?m)(-l|-s| )\s*` + name + `\b`).MatchString(fish) {
					t.Errorf("fish: no %s", name)
				}
			}
		}
	}
}

// bashCompletes asks bash for what may follow "tunadm VERB -".
func bashCompletes(t *testing.T, verb string) []string {
	t.Helper()
	script := `source ../completions/tunadm.bash; COMP_WORDS=(tunadm "$1" -); COMP_CWORD=2; _tunadm
		printf '%s\n' "${COMPREPLY[@]}"`
	out, err := exec.Command("bash", "-c", script, "bash", verb).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

// TestTheManualHasTheRulesOfALoop compares it with what ip(8) prints in a script.
func TestTheManualHasTheRulesOfALoop(t *testing.T) {
	_, rules, found := strings.Cut(read(t, "testdata/loopverbose.txtar"), "-- rules.want --\n")
	rules, _, _ = strings.Cut(rules, "-- ")
	if page := read(t, "../man/tunadm-packets.8"); !found || !strings.Contains(page, "\n"+rules+".Ed\n") {
		t.Errorf("tunadm-packets(8) does not have these rules:\n%s", rules)
	}
}

// TestTheManualHasTheCommandsOfTheUnits compares what tunadm.toml(5) says that a start and a stop run with the units.
func TestTheManualHasTheCommandsOfTheUnits(t *testing.T) {
	line := regexp.MustCompile(`(?m)^Exec(?:Start|Stop)=@BINDIR@/(tunadm .*)$`)
	page := read(t, "../man/tunadm.toml.5")
	for unit, want := range map[string]int{"tunadm.service": 2, "tunadm-late.service": 1} {
		commands := line.FindAllStringSubmatch(read(t, "../init/"+unit), -1)
		if len(commands) != want {
			t.Errorf("%s has %d commands, not %d", unit, len(commands), want)
		}
		_, item, _ := strings.Cut(page, ".It Pa "+unit+"\n")
		item, _, _ = strings.Cut(item, "\n.It ")
		for _, c := range commands {
			if text := strings.ReplaceAll(c[1], "=", " "); !strings.Contains(item, "\n.Ql "+text+"\n") {
				t.Errorf("%s: the manual does not have %q", unit, text)
			}
		}
	}
}
