package commands

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"

	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// Scripts rely on the JSON types of this file: keys are added, never renamed or removed.

type jsonStep struct {
	Device  string `json:"device"`
	Step    string `json:"step"`
	Command string `json:"command"`
}

func toStep(s *netcfg.Step) jsonStep { return jsonStep{s.Device, string(s.Kind), s.String()} }

func toSteps(steps []netcfg.Step) []jsonStep {
	list := make([]jsonStep, len(steps))
	for i := range steps {
		list[i] = toStep(&steps[i])
	}
	return list
}

type jsonID struct {
	ID   uint32  `json:"id"`
	Name *string `json:"name"` // null: unknown
}

type jsonHolder struct {
	PID      int    `json:"pid"`
	Command  string `json:"command"`
	User     jsonID `json:"user"`
	Queues   int    `json:"queues"`
	Probable bool   `json:"probable"` // the device may be one of the same name in another namespace
}

type jsonStats struct {
	RxPackets uint64 `json:"rx_packets"`
	RxBytes   uint64 `json:"rx_bytes"`
	RxErrors  uint64 `json:"rx_errors"`
	RxDropped uint64 `json:"rx_dropped"`
	TxPackets uint64 `json:"tx_packets"`
	TxBytes   uint64 `json:"tx_bytes"`
	TxErrors  uint64 `json:"tx_errors"`
	TxDropped uint64 `json:"tx_dropped"`

	RxOtherHost uint64 `json:"rx_other_host"`
}

type jsonDevice struct {
	Name           string   `json:"name"`
	Index          int      `json:"index"`
	Mode           string   `json:"mode"`
	Persist        bool     `json:"persist"`
	MultiQueue     bool     `json:"multi_queue"`
	Queues         int      `json:"queues"`
	DisabledQueues int      `json:"disabled_queues"`
	PI             bool     `json:"pi"`
	VnetHdr        bool     `json:"vnet_hdr"`
	User           *jsonID  `json:"user"`
	Group          *jsonID  `json:"group"`
	Access         string   `json:"access"`
	Up             bool     `json:"up"`
	Carrier        bool     `json:"carrier"`
	State          string   `json:"state"`
	MTU            int      `json:"mtu"`
	MAC            *string  `json:"mac"`
	TxQueueLen     int      `json:"txqueuelen"`
	Alias          string   `json:"alias"`
	Master         *string  `json:"master"`
	Promisc        bool     `json:"promisc"`
	Multicast      bool     `json:"multicast"`
	Addresses      []string `json:"addresses"`
	// Broadcasts has the broadcast addresses by the address.
	Broadcasts       map[string]string `json:"broadcasts"`
	Routes           []string          `json:"routes"`
	Attached         []jsonHolder      `json:"attached"`
	AttachedComplete bool              `json:"attached_complete"`
	Stats            jsonStats         `json:"stats"`
	Netns            *string           `json:"netns,omitempty"` // with --netns all only; "": this one
}

// A jsonEvent is a line of watch --json.
type jsonEvent struct {
	Time    string      `json:"time"`
	Event   string      `json:"event"`
	Name    *string     `json:"name"` // null: the event is not of a device
	Index   *int        `json:"index"`
	Mode    *string     `json:"mode"`
	Old     any         `json:"old"`
	New     any         `json:"new"`
	Program *jsonHolder `json:"program"`
}

// encode writes a value in one line. Invisible characters become \u: names, aliases and commands are texts of other
// users.
func encode(out io.Writer, value any) error {
	var text bytes.Buffer
	if err := newEncoder(&text).Encode(value); err != nil {
		return err
	}
	_, err := out.Write(harmless(text.Bytes()))
	return err
}

func newEncoder(to io.Writer) *json.Encoder {
	e := json.NewEncoder(to)
	e.SetEscapeHTML(false)
	return e
}

// harmless returns JSON text with invisible characters, which only strings can contain, as \u.
func harmless(text []byte) []byte {
	hidden := func(r rune) bool { return r != '\n' && !words.Visible(r) }
	if isPrintable(text) || bytes.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if !hidden(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.Bytes()
}

// isPrintable reports whether the text has only printable ASCII and line feeds, as nearly all JSON of devices has. It
// is much faster than a look at each character.
func isPrintable(text []byte) bool {
	for _, c := range text {
		if (c < ' ' || c > '~') && c != '\n' {
			return false
		}
	}
	return true
}

func renderJSON(to io.Writer, devices []*netcfg.Device) error {
	return renderArray(to, devices, toJSON)
}

// renderArray prints an array in one line. It encodes one element after the other: thousands at once take a third more
// time and memory.
func renderArray[From, To any](to io.Writer, list []From, each func(From) To) error {
	out := bufio.NewWriter(to)
	var one bytes.Buffer
	encoder := newEncoder(&one)
	out.WriteByte('[')
	for i, element := range list {
		if i > 0 {
			out.WriteByte(',')
		}
		one.Reset()
		if err := encoder.Encode(each(element)); err != nil {
			return err
		}
		out.Write(harmless(bytes.TrimSuffix(one.Bytes(), []byte("\n"))))
	}
	out.WriteString("]\n")
	return out.Flush()
}

func toJSON(d *netcfg.Device) *jsonDevice {
	j := &jsonDevice{
		Name: d.Name, Index: d.Index, Mode: d.Mode.String(), Persist: d.Persist, MultiQueue: d.MultiQueue,
		Queues: d.Queues, DisabledQueues: d.DisabledQueues, PI: d.PI, VnetHdr: d.VnetHdr,
		User: toID(d.Access.User), Group: toID(d.Access.Group), Access: d.Access.String(),
		Up: d.Up, Carrier: d.Carrier, State: d.State(), MTU: d.MTU, MAC: orNull(d.MAC.String()),
		TxQueueLen: d.TxQueueLen,
		Alias:      d.Alias, Master: orNull(d.Master), Promisc: d.Promisc, Multicast: d.Multicast,
		Addresses: texts(d.Addresses), Broadcasts: broadcastsOf(d), Routes: texts(d.Routes),
		Attached: make([]jsonHolder, len(d.Holders)), AttachedComplete: d.HoldersComplete(),
		Stats: jsonStats(d.Stats), Netns: d.Netns,
	}
	for i, h := range d.Holders {
		j.Attached[i] = toHolder(h)
	}
	return j
}

func broadcastsOf(d *netcfg.Device) map[string]string {
	all := map[string]string{}
	for _, a := range d.Addresses {
		if a.Broadcast.IsValid() {
			all[a.String()] = a.Broadcast.String()
		}
	}
	return all
}

func toHolder(h netcfg.Holder) jsonHolder {
	return jsonHolder{h.PID, h.Command, *toID(&h.User), h.Queues, h.Probable}
}

func toID(id *users.ID) *jsonID {
	if id == nil {
		return nil
	}
	return &jsonID{id.Number, orNull(id.Name)}
}

func orNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// texts returns values in the form that the flags accept.
func texts[T interface{ String() string }](values []T) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = v.String()
	}
	return list
}

type jsonFinding struct {
	Check  string   `json:"check"`
	Level  string   `json:"level"`  // error, warning, unknown; with -v also ok
	Device *string  `json:"device"` // null: the machine
	What   string   `json:"what"`
	Means  string   `json:"means"`
	Fix    []string `json:"fix"` // fixes, the best first: commands, or sentences
}

// A jsonResult is what apply, delete and teardown did to one device.
type jsonResult struct {
	Device string     `json:"device"`
	Result string     `json:"result"` // created, changed, unchanged, deleted, kept, failed
	Steps  []jsonStep `json:"steps"`
	Error  *string    `json:"error"`
	Exit   int        `json:"exit"`
}

// A jsonStatus is the state of one device.
type jsonStatus struct {
	Name     string     `json:"name"`
	Kind     string     `json:"kind"`     // tun, tap, bridge, or port: a link of others that joins a bridge
	State    string     `json:"state"`    // ok, missing, changed, error, left, foreign
	Created  *bool      `json:"created"`  // apply created it; null: the record of apply cannot be read
	Declared *string    `json:"declared"` // FILE:LINE; null: not declared
	Steps    []jsonStep `json:"steps"`    // of apply
	Error    *string    `json:"error"`

	absent bool // it does not exist
}

// A jsonTraced is a line of trace --json.
type jsonTraced struct {
	Time      string   `json:"time"`
	Device    string   `json:"device"`
	Direction string   `json:"direction"` // "to" the program, or "from" it
	Reason    *string  `json:"reason"`    // null: the packet passes, or the counter has several
	Function  *string  `json:"function"`  // of the kernel; null: not known
	At        *string  `json:"at"`        // the device that has the packet; null: none
	In        *string  `json:"in"`        // the device through which it arrived; null: it is from this host
	Out       *string  `json:"out"`       // the device of its route; null: not routed
	From      *string  `json:"from"`      // null: neither IP nor ARP
	To        *string  `json:"to"`
	Protocol  uint8    `json:"protocol"` // IPPROTO_*
	FromPort  *uint16  `json:"from_port"`
	ToPort    *uint16  `json:"to_port"`
	Counter   *string  `json:"counter"` // null: a packet
	Packets   int      `json:"packets"`
	Size      int      `json:"size"` // bytes, from the IP header on
	Packet    string   `json:"packet"`
	Means     string   `json:"means"`
	Fix       []string `json:"fix"`
}
