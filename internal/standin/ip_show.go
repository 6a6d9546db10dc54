package standin

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A Format is the output format of ip tuntap show.
type Format struct {
	details bool // with the attached programs
	json    bool
	pretty  bool // JSON on several lines
	oneLine bool
}

// A Shown device includes the flags that only sysfs reports.
type Shown struct {
	*netcfg.Device
	Stored uint16
}

// Render returns the output of ip tuntap show, byte for byte: even the programs in JSON, which are names and values in
// an array. It escapes only characters that are unsafe on a terminal.
func (f Format) Render(devices []Shown) string {
	slices.SortFunc(devices, func(a, b Shown) int { return cmp.Compare(a.Index, b.Index) })
	var b strings.Builder
	if f.json {
		f.writeJSON(&b, devices)
		return b.String()
	}
	for _, d := range devices {
		f.text(&b, d)
	}
	return b.String()
}

func (f Format) text(b *strings.Builder, d Shown) {
	b.WriteString(words.Escape(d.Name) + ":")
	for _, flag := range d.flags() {
		b.WriteString(" " + flag)
	}
	for _, id := range d.ids() {
		fmt.Fprintf(b, " %s %d", id.which, id.number)
	}
	if f.details {
		b.WriteString(map[bool]string{true: `\`, false: "\n"}[f.oneLine] + "\tAttached to processes:")
		d.eachQueue(func(h netcfg.Holder) { fmt.Fprintf(b, "%s(%d)", words.Escape(h.Command), h.PID) })
	}
	b.WriteByte('\n')
}

// flags returns the words for the device's flags. The word "filter" of ip(8) is a misread bit of "pi".
func (d Shown) flags() (words []string) {
	words = append(words, d.Mode.String())
	for _, flag := range []struct {
		set  bool
		word string
	}{
		{d.PI, "pi"}, {d.Stored&driver.FlagOneQueue != 0, "one_queue"}, {d.MultiQueue, "multi_queue"},
		{d.VnetHdr, "vnet_hdr"},
		{d.Persist, "persist"}, {d.PI, "filter"},
	} {
		if flag.set {
			words = append(words, flag.word)
		}
	}
	if rest := d.Stored &^ driver.FlagOneQueue; rest != 0 {
		words = append(words, "0x"+strconv.FormatUint(uint64(rest), 16))
	}
	return words
}

type shownID struct {
	which  string
	number uint32
}

// ids returns the owner and the group, if they are set.
func (d Shown) ids() (ids []shownID) {
	if u := d.Access.User; u != nil {
		ids = append(ids, shownID{"user", u.Number})
	}
	if g := d.Access.Group; g != nil {
		ids = append(ids, shownID{"group", g.Number})
	}
	return ids
}

// eachQueue calls say with a program once for each of its descriptors.
func (d Shown) eachQueue(say func(netcfg.Holder)) {
	for _, h := range d.Holders {
		for range h.Queues {
			say(h)
		}
	}
}

// A layout is the white space of JSON on one line or on several.
type layout struct{ line, field, value, open, close string }

var (
	compact = layout{}
	pretty  = layout{line: "\n    ", field: "\n        ", value: "\n            ", open: " ", close: " "}
)

func (f Format) writeJSON(b *strings.Builder, devices []Shown) {
	l := compact
	colon := ":"
	if f.pretty {
		l, colon = pretty, ": "
	}
	b.WriteString("[" + l.open)
	for i, d := range devices {
		if i > 0 {
			b.WriteByte(',')
		}
		fields := []string{`"ifname"` + colon + jsonString(d.Name), `"flags"` + colon + l.array(d.flags())}
		for _, id := range d.ids() {
			fields = append(fields, fmt.Sprintf(`"%s"%s%d`, id.which, colon, id.number))
		}
		if f.details {
			fields = append(fields, `"processes"`+colon+l.programs(d, colon))
		}
		b.WriteString("{" + l.field + strings.Join(fields, ","+l.field) + l.line + "}")
	}
	if len(devices) > 0 {
		b.WriteString(l.close)
	}
	b.WriteString("]\n")
}

// array returns a list of words.
func (l layout) array(words []string) string {
	return "[" + l.open + `"` + strings.Join(words, `","`) + `"` + l.close + "]"
}

// programs returns the attached programs as iproute2 prints them, which is not as objects.
func (l layout) programs(d Shown, colon string) string {
	var values []string
	d.eachQueue(func(h netcfg.Holder) {
		values = append(values, `"name"`+colon+jsonString(h.Command), `"pid"`+colon+strconv.Itoa(h.PID))
	})
	if len(values) == 0 {
		return "[" + l.open + "]"
	}
	return "[" + l.open + l.value + strings.Join(values, ","+l.value) + l.close + "]"
}

// jsonString quotes a text as iproute2 does. Control characters that iproute2 does not quote are escaped as JSON
// requires.
func jsonString(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(rune(c)))
		case strings.IndexByte("\b\t\n\f\r", c) >= 0:
			b.WriteString(`\` + string("btn?fr"[c-'\b']))
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}
