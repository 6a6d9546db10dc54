package metrics

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// hostile are texts that other users may choose for names and aliases.
var hostile = []string{"tun0", `a"b`, `a\b`, `a\\b`, "a\nb", `a\nb`, "a\xffb", `a\xffb`, "a\x1b[2Jb", "a\u202eb",
	`"} 1`, "# HELP x", "x{y=\"z\"} 7\n", "é", ""}

// numbers returns devices with every property, in two network namespaces.
func numbers() *Numbers {
	n := &Numbers{Version: "1.2.3", Start: time.UnixMilli(1795381686389), Duration: 1500 * time.Millisecond,
		Declared: &Declared{Valid: true, States: []Count{{"ok", 3}, {"missing", 0}}},
		Errors:   []Errors{{ByCheck: []Count{{"attach", 2}}}, {Netns: "blue", ByCheck: []Count{{"attach", 0}}}}}
	blue := "blue"
	for i, text := range hostile {
		id := &users.ID{Number: 5, Name: text}
		n.Devices = append(n.Devices, &netcfg.Device{Name: "d" + text, Kind: "tun", Mode: link.TAP, MTU: 1400,
			Alias: text, Master: text, MultiQueue: true, Persist: true, Up: true, Carrier: true, Queues: 2,
			DisabledQueues: 1, CarrierUps: 6, Access: users.Access{User: id, Group: id},
			Holders: []netcfg.Holder{{PID: 1, Queues: 1}},
			Stats: netcfg.Stats{RxPackets: 11, RxBytes: 12, RxErrors: 13, RxDropped: 14, TxPackets: 21, TxBytes: 22,
				TxErrors: 23, TxDropped: 1<<64 - 1}})
		other := *n.Devices[i]
		other.Netns = &blue
		defer func() { n.Devices = append(n.Devices, &other) }()
	}
	return n
}

// TestText holds the output to the format: each metric has one head, before its samples, and no sample occurs twice.
func TestText(t *testing.T) {
	text := string(Text(numbers()))
	sample := regexp.MustCompile(`^([a-z_]+)(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\\\|\\")*"(?:,|\}))+)? [0-9.]+$`)
	head, seen, known := "", map[string]bool{}, map[string]bool{}
	lines := strings.SplitAfter(text, "\n")
	for i, line := range lines[:len(lines)-1] {
		if name, found := strings.CutPrefix(line, "# HELP "); found {
			head, _, _ = strings.Cut(name, " ")
			if known[head] || !strings.HasPrefix(lines[i+1], "# TYPE "+head+" ") {
				t.Errorf("the head of %s is wrong", head)
			}
			known[head] = true
			continue
		}
		if strings.HasPrefix(line, "# TYPE "+head+" ") {
			continue
		}
		match := sample.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if match == nil || match[1] != head {
			t.Errorf("below %s: %q", head, line)
		}
		series := line[:strings.LastIndex(line, " ")]
		if seen[series] {
			t.Errorf("%q occurs twice", series)
		}
		seen[series] = true
	}
	if len(known) != len(families()) || len(seen) < len(hostile)*20 {
		t.Errorf("%d metrics and %d samples", len(known), len(seen))
	}
	for _, want := range []string{
		`tunadm_device_receive_drop_total{device="dtun0"} 14`, `tunadm_device_transmit_drop_total{netns="blue",` +
			`device="da\"b"} 18446744073709551615`, `tunadm_device_attached_programs{device="dtun0"} 2`,
		`tunadm_device_queues{device="dtun0",state="disabled"} 1`, `tunadm_run_duration_seconds 1.5`,
		`tunadm_run_timestamp_seconds 1795381686.389`, `tunadm_doctor_errors{netns="blue",check="attach"} 0`,
		`tunadm_declared_devices{state="ok"} 3`, `tunadm_device_mtu_bytes{device="da\\\\b"} 1400`,
		`tunadm_device_mtu_bytes{device="da\\nb"} 1400`, `tunadm_device_mtu_bytes{device="da\\xffb"} 1400`,
	} {
		if !strings.Contains("\n"+text, "\n"+want+"\n") {
			t.Errorf("no line %q", want)
		}
	}
}

// TestTextOfNothing has neither devices nor declarations: a metric without a sample has no head.
func TestTextOfNothing(t *testing.T) {
	text := string(Text(&Numbers{}))
	if strings.Contains(text, "device") || strings.Count(text, "# HELP") != 3 {
		t.Error(text)
	}
}

// TestPromtool asks the linter of Prometheus, which reports names that break its conventions, and what it cannot parse.
func TestPromtool(t *testing.T) {
	nstest.NeedProgram(t, "promtool")
	cmd := exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader(string(Text(numbers())))
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
	cmd = exec.Command("promtool", "check", "metrics")
	cmd.Stdin = strings.NewReader("tunadm_wrong_total 1\n")
	if out, _ := cmd.CombinedOutput(); len(out) == 0 {
		t.Error("promtool accepts a metric without HELP")
	}
}

// TestTheManualHasAllMetrics compares tunadm-metrics(8) with the metrics, their types and labels.
func TestTheManualHasAllMetrics(t *testing.T) {
	page := read(t, "../../man/tunadm-metrics.8")
	items := regexp.MustCompile(`(?m)((?:^\.It Cm tunadm_[a-z_]+\n)+)\((gauge|counter)s?\)`)
	documented := map[string]string{}
	for _, item := range items.FindAllStringSubmatch(page, -1) {
		for name := range strings.FieldsSeq(strings.ReplaceAll(item[1], ".It Cm ", "")) {
			documented[name] = item[2]
		}
	}
	for _, f := range families() {
		if documented[f.name] != f.kind {
			t.Errorf("%s is a %s, and the manual has %q", f.name, f.kind, documented[f.name])
		}
		delete(documented, f.name)
	}
	for name := range documented {
		t.Errorf("the manual has %s, which does not exist", name)
	}
	for _, label := range labels(string(Text(numbers()))) {
		if !regexp.MustCompile(`(?m)^\.Cm ` + label + `( [.,:])?$`).MatchString(page) {
			t.Errorf("the manual lacks the label %s", label)
		}
	}
}

// labels returns the names of all labels.
func labels(text string) (names []string) {
	for _, match := range regexp.MustCompile(`[{,]([a-z_]+)="`).FindAllStringSubmatch(text, -1) {
		if !slices.Contains(names, match[1]) {
			names = append(names, match[1])
		}
	}
	return names
}
