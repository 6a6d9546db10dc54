// Package metrics writes the numbers of devices in the text exposition format of Prometheus.
package metrics

import (
	"strconv"
	"time"

	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// Numbers are what one run measured.
type Numbers struct {
	Devices  []*netcfg.Device // sorted by their Netns, nil and "" being the namespace of the run
	Errors   []Errors         // of doctor, by namespace
	Declared *Declared        // nil: the run did not compare the devices with the files
	Version  string           // of the program
	Start    time.Time
	Duration time.Duration
}

// Errors are the numbers of errors that doctor found in a network namespace.
type Errors struct {
	Netns   string // as --netns accepts it; "": that of the run
	ByCheck []Count
}

// A Count is a number of things with one label.
type Count struct {
	Label string
	N     int
}

// A Declared is the comparison of the devices with the files that declare them.
type Declared struct {
	Valid  bool    // the files have no mistake
	States []Count // the number of devices, bridges and ports in each state; not known if the files have a mistake
}

// A family is a metric with all its samples.
type family struct {
	name, kind, help string

	device func(*netcfg.Device) uint64 // the value of each device; nil: write has the samples
	write  func(*text, *Numbers)
}

// text is the output, of one family after the other.
type text struct {
	*family
	out    []byte
	begun  bool     // the family has a sample
	labels []string // of each device, without the closing brace
}

// Text returns the numbers as text. A family without a sample is left out.
func Text(n *Numbers) []byte {
	const perDevice = 2048 // bytes
	t := &text{out: make([]byte, 0, perDevice*(len(n.Devices)+2)), labels: make([]string, len(n.Devices))}
	for i, d := range n.Devices {
		t.labels[i] = deviceLabels(d)
	}
	all := families()
	for i := range all {
		t.family, t.begun = &all[i], false
		if t.write != nil {
			t.write(t, n)
			continue
		}
		for i, d := range n.Devices {
			t.sample(t.labels[i])
			t.out = strconv.AppendUint(append(t.out, "} "...), t.device(d), 10)
			t.out = append(t.out, '\n')
		}
	}
	return t.out
}

// sample begins a sample with its first labels, which are complete except for the closing brace. Before the first
// sample of a family it writes the head.
func (t *text) sample(labels string) {
	if !t.begun {
		t.begun = true
		t.out = append(t.out, "# HELP "+t.name+" "+t.help+"\n# TYPE "+t.name+" "+t.kind+"\n"...)
	}
	t.out = append(append(t.out, t.name...), labels...)
}

// one writes a sample of which all labels are given, such as `{state="ok"}`; "": none.
func (t *text) one(labels string, value float64) {
	t.sample(labels)
	t.out = strconv.AppendFloat(append(t.out, ' '), value, 'f', -1, 64)
	t.out = append(t.out, '\n')
}

// label returns a label with its value as list prints it, in which no byte is invisible or invalid UTF-8, and different
// values stay different. Of the characters that the format escapes, a value can still have the backslash and the quote.
func label(name, value string) string {
	return name + `="` + escaped.Replace(words.Escape(value)) + `"`
}

// deviceLabels returns the labels that identify a device, without the closing brace.
func deviceLabels(d *netcfg.Device) string {
	if d.Netns == nil || *d.Netns == "" {
		return "{" + label("device", d.Name)
	}
	return "{" + label("netns", *d.Netns) + "," + label("device", d.Name)
}
