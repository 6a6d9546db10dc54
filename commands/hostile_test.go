package commands

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/doctor"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/metrics"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/watch"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// hostile are texts that other users may choose.
var hostile = []string{"tun0", "a\x1b[2Jb", "a\u009bb\x7f", "a\u202e\u2066b", "a\u200b\u2060\ufeff\u3164b",
	"a\xff\xfeb", "a\nb\r", "!lo", "*", "-x", "a\\b\"'", "\U000e0041\ufe0f", "<&>"}

// FuzzPrinters: whatever other users chose for names, aliases and commands, no printer lets through what a terminal
// should not see, and JSON gives it back as it was.
func FuzzPrinters(f *testing.F) {
	for _, text := range hostile {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id := &users.ID{Number: 5, Name: text}
		d := &netcfg.Device{
			Name: text, Index: 5, Kind: "tun", Mode: link.TAP, Persist: true, MTU: 1500, Alias: text, Master: text,
			MultiQueue: true, Queues: 1,
			Access:  users.Access{User: id, Group: id},
			Holders: []netcfg.Holder{{PID: 7, Command: text, User: *id, Queues: 1}},
		}
		spec, _ := d.Spec()
		event := watch.Event{Kind: watch.EventAlias, Time: time.Unix(0, 0), Before: d, After: d,
			Holder: &d.Holders[0]}
		failed := &cause.Error{Device: text, Cause: cause.NotOwner, Detail: "only " + d.Access.String() + " may attach",
			Fix: fix.Sentence("ask " + text)}
		for name, print := range map[string]func(p *program, out *bytes.Buffer) error{
			"table": func(_ *program, out *bytes.Buffer) error {
				return renderTable(out, []*netcfg.Device{d}, columns(), screen{})
			},
			"names": func(_ *program, out *bytes.Buffer) error { return renderNames(out, []*netcfg.Device{d}) },
			"blocks": func(_ *program, out *bytes.Buffer) error {
				return renderBlocks(out, []*netcfg.Device{d}, screen{})
			},
			"json": func(_ *program, out *bytes.Buffer) error { return renderJSON(out, []*netcfg.Device{d}) },
			"metrics": func(_ *program, out *bytes.Buffer) error {
				out.Write(metrics.Text(&metrics.Numbers{Devices: []*netcfg.Device{d}}))
				return nil
			},
			"event":      func(_ *program, out *bytes.Buffer) error { return printEvent(out, event) },
			"json event": func(_ *program, out *bytes.Buffer) error { return printJSONEvent(out, event) },
			"error": func(p *program, _ *bytes.Buffer) error {
				p.complain(errors.Join(failed, errors.New(text)))
				return nil
			},
			"say":       func(p *program, _ *bytes.Buffer) error { p.say(text); p.sayOf(text, text); return nil },
			"findings":  func(_ *program, out *bytes.Buffer) error { return printFindings(out, d, text) },
			"plan":      func(_ *program, out *bytes.Buffer) error { return renderPlan(out, deletion(d), false) },
			"json plan": func(_ *program, out *bytes.Buffer) error { return renderPlan(out, deletion(d), true) },
			"toml": func(_ *program, out *bytes.Buffer) error {
				return exported(out, func(e *exporter) { e.toml(d, spec) })
			},
			"ip": func(_ *program, out *bytes.Buffer) error {
				return exported(out, func(e *exporter) { e.ip(d, spec) })
			},
			"networkd": func(_ *program, out *bytes.Buffer) error {
				return exported(out, func(e *exporter) { e.networkd(d, spec) })
			},
		} {
			var out bytes.Buffer
			if err := print(&program{verb: "list", stdout: &out, stderr: &out}, &out); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			checkPrinted(t, name, text, out.Bytes())
		}
	})
}

// printFindings prints findings of the doctor on a pipe and on a terminal.
func printFindings(out *bytes.Buffer, d *netcfg.Device, text string) (failed error) {
	found := []doctor.Finding{{Check: "x", Device: text, What: text, Means: text,
		Fixes: []fix.Fix{fix.Sentence(text)}}}
	found = append(found, doctor.Finding{Level: doctor.Unknown, Device: text, What: text})
	for _, width := range []int{0, usualWidth} {
		printer := findingPrinter{bufio.NewWriter(out), width}
		for _, g := range fold(found) {
			printer.finding(g)
		}
		printer.trail(found)
		o := &doctorOptions{user: text}
		report := &doctor.Report{Findings: found[1:], Devices: []*netcfg.Device{d}}
		printer.line("", o.summary(report, true))
		failed = errors.Join(failed, printer.Flush())
	}
	return failed
}

// checkPrinted reports characters that a terminal should not see, and invalid JSON.
func checkPrinted(t *testing.T, name, text string, out []byte) {
	t.Helper()
	for _, r := range string(out) {
		if r != '\n' && !words.Visible(r) {
			t.Errorf("%s prints %U of %q: %q", name, r, text, out)
		}
	}
	if strings.HasPrefix(name, "json") && !json.Valid(out) {
		t.Errorf("%s: invalid JSON: %s", name, out)
	}
}

func deletion(d *netcfg.Device) []*netcfg.Step {
	steps, _ := netcfg.Plan(nil, d)
	return []*netcfg.Step{&steps[0]}
}

func exported(out *bytes.Buffer, print func(*exporter)) error {
	e := &exporter{Writer: bufio.NewWriter(out)}
	print(e)
	return e.Flush()
}

// TestOneEncoder: JSON is printed in one place, which escapes what cannot be seen.
func TestOneEncoder(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file != "json.go" && !strings.HasSuffix(file, "_test.go") &&
			bytes.Contains(text, []byte(`"encoding/json"`)) {
			t.Errorf("%s encodes JSON: encode of json.go does", file)
		}
	}
}

// TestJSONIsTheSameText: what is escaped comes back as it was.
func TestJSONIsTheSameText(t *testing.T) {
	for _, text := range []string{"a\u009bb\x7f", "\u202e\U000e0041 é", "\u2028\x00\x1b"} {
		var out bytes.Buffer
		var back string
		if err := encode(&out, text); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out.Bytes(), &back); err != nil || back != text {
			t.Errorf("%q became %q: %v", text, back, err)
		}
	}
}
