package commands

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestFishCompletesTheFlagsOfEachVerb compares what fish offers after "tunadm VERB --" with the flags of the verb.
func TestFishCompletesTheFlagsOfEachVerb(t *testing.T) {
	nstest.NeedProgram(t, "fish")
	script := "source ../completions/tunadm.fish\n"
	for _, v := range verbs() {
		script += `printf '%s ' ` + v.name + ` (complete -C 'tunadm ` + v.name + ` --' | string replace -r '\t.*' '')` +
			"\necho\n"
	}
	out, err := exec.Command("fish", "--no-config", "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, v := range verbs() {
		want := []string{v.name}
		for _, f := range allFlags(v) {
			want = append(want, "--"+f.Names()[0])
		}
		slices.Sort(want[1:])
		if i >= len(lines) {
			t.Fatalf("fish prints %d lines", len(lines))
		}
		got := strings.Fields(lines[i])
		slices.Sort(got[min(1, len(got)):])
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// TestBashKnowsFlagsWithValues completes the word after each flag that takes a value, where no other device may follow,
// and the word after that value, where one may.
func TestBashKnowsFlagsWithValues(t *testing.T) {
	nstest.NeedProgram(t, "bash")
	const script = `tunadm() { echo a-device; }; source ../completions/tunadm.bash
		while read -r verb flag; do
			COMP_WORDS=(tunadm $verb $flag ''); COMP_CWORD=3; _tunadm
			offered=" ${COMPREPLY[*]} "
			COMP_WORDS=(tunadm $verb $flag x ''); COMP_CWORD=4; _tunadm
			printf '%s %s %s | %s\n' "$verb" "$flag" "$offered" "${COMPREPLY[*]}"
		done`
	var lines strings.Builder
	names := map[string]bool{}
	for _, v := range verbs() {
		names[v.name] = v.operand != nil && v.name != addVerb.name
		for _, f := range allFlags(v) {
			if f.TakesValue() && f.implied == "" {
				lines.WriteString(v.name + " --" + f.Names()[0] + "\n")
			}
		}
	}
	cmd := exec.Command("bash", "-c", script)
	cmd.Stdin = strings.NewReader(lines.String())
	out, err := cmd.Output()
	if err != nil || strings.Count(string(out), "\n") != strings.Count(lines.String(), "\n") {
		t.Fatalf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		value, next, _ := strings.Cut(line, "|")
		words := strings.Fields(value)
		if slices.Contains(words[2:], "a-device") && !strings.HasSuffix(words[1], "-device") {
			t.Errorf("a device is offered as the value of %s %s", words[0], words[1])
		}
		if names[words[0]] && strings.TrimSpace(next) != "a-device" {
			t.Errorf("after the value of %s %s, bash offers %q", words[0], words[1], next)
		}
	}
}
