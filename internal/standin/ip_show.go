package standin

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// A Format is how ip tuntap show prints.
type Format struct {
	Details bool // with the attached programs
	JSON    bool
	Pretty  bool // JSON in lines
	OneLine bool
}

// A Shown device is one with the flags that only sysfs tells.
type Shown struct {
	*netcfg.Device
	Stored uint16
}

// Render is what ip tuntap show prints, byte for byte: down to programs in JSON that are names and values in an array. Only
// what would do harm on a terminal is escaped.
func (f Format) Render(devices []Shown) string {
	slices.SortFunc(devices, func(a, b Shown) int { return cmp.Compare(a.Index, b.Index) })
	var b strings.Builder
	if f.JSON {
		f.json(&b, devices)
		return b.String()
	}
	for _, d := range devices {
		f.text(&b, d)
	}
	return b.String()
}

func (f Format) text(b *strings.Builder, d Shown) {
	b.WriteString(netcfg.Escape(d.Name) + ":")
	for _, flag := range d.flags() {
		b.WriteString(" " + flag)
	}
	for _, id := range d.ids() {
		fmt.Fprintf(b, " %s %d", id.which, id.number)
	}
	if f.Details {
		b.WriteString(map[bool]string{true: `\`, false: "\n"}[f.OneLine] + "\tAttached to processes:")
		d.eachQueue(func(h netcfg.Holder) { fmt.Fprintf(b, "%s(%d)", netcfg.Escape(h.Command), h.PID) })
	}
	b.WriteByte('\n')
}

// flags are the words for the device's flags. Its "filter" is the bit of "pi", read as another one.
func (d Shown) flags() (words []string) {
	words = append(words, d.Mode.String())
	for _, flag := range []struct {
		set  bool
		word string
	}{
		{d.PI, "pi"}, {d.Stored&netcfg.FlagOneQueue != 0, "one_queue"}, {d.MultiQueue, "multi_queue"}, {d.VnetHdr, "vnet_hdr"},
		{d.Persist, "persist"}, {d.PI, "filter"},
	} {
		if flag.set {
			words = append(words, flag.word)
		}
	}
	if rest := d.Stored &^ netcfg.FlagOneQueue; rest != 0 {
		words = append(words, "0x"+strconv.FormatUint(uint64(rest), 16))
	}
	return words
}

type shownID struct {
	which  string
	number uint32
}

func (d Shown) ids() (ids []shownID) {
	if u := d.Access.User; u != nil {
		ids = append(ids, shownID{"user", u.Number})
	}
	if g := d.Access.Group; g != nil {
		ids = append(ids, shownID{"group", g.Number})
	}
	return ids
}

// eachQueue names a program once for each of its descriptors.
func (d Shown) eachQueue(say func(netcfg.Holder)) {
	for _, h := range d.Holders {
		for range h.Queues {
			say(h)
		}
	}
}

// A layout is the white space of JSON in one line, or in several.
type layout struct{ line, field, value, open, close string }

var (
	compact = layout{}
	pretty  = layout{line: "\n    ", field: "\n        ", value: "\n            ", open: " ", close: " "}
)

func (f Format) json(b *strings.Builder, devices []Shown) {
	l := compact
	colon := ":"
	if f.Pretty {
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
		if f.Details {
			fields = append(fields, `"processes"`+colon+l.programs(d, colon))
		}
		b.WriteString("{" + l.field + strings.Join(fields, ","+l.field) + l.line + "}")
	}
	if len(devices) > 0 {
		b.WriteString(l.close)
	}
	b.WriteString("]\n")
}

// array is a list of words.
func (l layout) array(words []string) string {
	return "[" + l.open + `"` + strings.Join(words, `","`) + `"` + l.close + "]"
}

// programs are the attached ones as iproute2 prints them: no objects.
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

// jsonString is a text as iproute2 quotes it, and what it leaves raw below a space as JSON wants it.
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
