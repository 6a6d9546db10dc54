package commands

import (
	"bufio"
	"fmt"
	"io"

	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

func or(s string) string {
	if s == "" {
		return absent
	}
	return s
}

// shownAddresses returns the addresses that are not IPv6 link-local. Every device that was ever up has those.
func shownAddresses(d *netcfg.Device) []string {
	var shown []string
	for _, a := range d.Addresses {
		if !a.Local.Is6() || !a.Local.IsLinkLocalUnicast() {
			shown = append(shown, a.String())
		}
	}
	return shown
}

// usedBy returns the programs that have the device open, and a question mark if some of them are unknown.
func usedBy(d *netcfg.Device) []string {
	var who []string
	for _, h := range d.Holders {
		who = append(who, user(h))
	}
	if d.CutShort() {
		who = append(who, "? (could not be examined)")
	} else if !d.HoldersComplete() {
		who = append(who, "?")
	}
	return who
}

// user returns a program as "command(pid)".
func user(h netcfg.Holder) string {
	s := fmt.Sprintf("%s(%d)", words.Escape(h.Command), h.PID)
	if h.Probable {
		s += "?"
	}
	return s
}

// renderBlocks prints all details of each device, in the form of wg(8). On a screen, long lines are broken.
func renderBlocks(to io.Writer, devices []*netcfg.Device, on screen) error {
	const indent = 4 // of the rest of a line
	out := bufio.NewWriter(to)
	for i, d := range devices {
		if i > 0 {
			out.WriteByte('\n')
		}
		fmt.Fprintf(out, "device: %s\n", words.Escape(d.Name))
		for _, line := range blockLines(d) {
			if on.color && line[0] == "state" {
				line[1] = paint(line[1])
			}
			text := fmt.Sprintf("  %s: %s", line[0], line[1])
			if on.width > 0 && line[0] != "state" {
				text = breakLine(text, on.width, indent)
			}
			out.WriteString(text + "\n")
		}
	}
	return out.Flush()
}

func blockLines(d *netcfg.Device) [][2]string {
	flags := ""
	for _, f := range []struct {
		on   bool
		word string
	}{
		{d.Persist, "persistent"}, {!d.Persist, "not persistent"}, {d.MultiQueue, "multi-queue"},
		{d.PI, "packet information"}, {d.VnetHdr, "virtio header"},
		{d.Promisc, "promiscuous"}, {!d.Multicast, "no multicast"},
	} {
		if f.on {
			flags += ", " + f.word
		}
	}
	lines := [][2]string{
		{"mode", d.Mode.String() + flags},
		{"state", d.State()},
		{"access", words.Escape(d.Access.String())},
		{"index", fmt.Sprint(d.Index)},
		{"mtu", fmt.Sprint(d.MTU)},
		{"txqueuelen", fmt.Sprint(d.TxQueueLen)},
	}
	add := func(key, value string) {
		if value != "" {
			lines = append(lines, [2]string{key, value})
		}
	}
	add("mac", d.MAC.String())
	add("alias", words.Escape(d.Alias))
	add("master", words.Escape(d.Master))
	for _, a := range d.Addresses {
		add("address", a.Words())
	}
	for _, r := range d.Routes {
		add("route", r.String())
	}
	if d.MultiQueue {
		queues := fmt.Sprintf("%d attached", d.Queues+d.DisabledQueues)
		if d.DisabledQueues > 0 {
			queues += fmt.Sprintf(", %d of them disabled", d.DisabledQueues)
		}
		add("queues", queues)
	}
	for _, h := range d.Holders {
		probably := ""
		if h.Probable {
			probably = "probably "
		}
		command, owner := words.Escape(h.Command), words.Escape(h.User.String())
		add("in use by", fmt.Sprintf("%s%s (pid %d, user %s)", probably, command, h.PID, owner))
	}
	if unseen := d.Unseen(); unseen != "" {
		add("in use by", unseen)
	}
	s := d.Stats
	const counters = "%d packets, %d bytes, %d errors, %d dropped"
	add("received", fmt.Sprintf(counters, s.RxPackets, s.RxBytes, s.RxErrors, s.RxDropped))
	add("sent", fmt.Sprintf(counters, s.TxPackets, s.TxBytes, s.TxErrors, s.TxDropped))
	return lines
}
