package doctor

import (
	"fmt"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// portMAC finds a program that sends frames with a MAC address of this host, that of its tap, of the bridge or of
// another port: the bridge gives the answers to this host. It also finds one with the address of another program.
func portMAC(j *journey) []Finding {
	p, br := j.port()
	d := j.device
	if p == nil || br == nil || !p.Learning || d.Stats.RxPackets == 0 {
		return nil
	}
	if len(j.behind(p)) > 0 {
		return j.movingMAC(p, br)
	}
	if mac, ago := j.host.OwnSource(br.Name, d.Name); mac != nil {
		if at := j.localMAC(br, link.MAC(mac)); at != nil {
			return j.ownMAC(at, br, fmt.Sprintf("the kernel logged, %s ago, \"received packet on %s with own address "+
				"as source address\"", ago.Round(time.Second), words.Escape(d.Name)))
		}
	}
	for _, n := range j.host.Neighbours(br.Index) {
		if at := j.localMAC(br, n.MAC); at != nil && !n.Permanent() && n.To.IsValid() && !j.isOwn(n.To) &&
			!n.To.IsMulticast() {
			return j.ownMAC(at, br, fmt.Sprintf("%s has it, as %s", n.To, map[bool]string{false: "ARP shows",
				true: "neighbour discovery shows"}[n.To.Is6()]))
		}
	}
	return j.movingMAC(p, br)
}

// localMAC returns the link, the bridge or a port, that has a MAC address in the forwarding database of the bridge;
// nil: none.
func (j *journey) localMAC(br *netcfg.Device, mac link.MAC) *netcfg.Device {
	if len(mac) == 0 {
		return nil
	}
	for _, n := range j.host.Frames(br.Index) {
		if !n.Permanent() || !slices.Equal(n.MAC, mac) || n.Bridge != br.Index && n.Index != br.Index {
			continue
		}
		if l := j.byIndex(n.Index); l != nil && slices.Equal(l.MAC, mac) {
			return l
		}
	}
	return nil
}

// ownMAC reports that the program has the MAC address of a link.
func (j *journey) ownMAC(at, br *netcfg.Device, evidence string) []Finding {
	d := j.device
	means := fmt.Sprintf("the bridge %s gives frames to this address to this host, not to the program; of %s from it, "+
		"it has learned no address", words.Escape(br.Name), packets(d.Stats.RxPackets))
	change := fix.Run(ip("link", "set", "dev", at.Name, "address", ownMAC(at).String()))
	switch at.Index {
	case d.Index:
		return one(Warning, fmt.Sprintf("its MAC address %s is also that of the program: %s", d.MAC, evidence), means,
			fix.Run(fix.Tunadm("set", d.Name, "--mac", ownMAC(d).String())))
	case br.Index:
		return one(Warning, fmt.Sprintf("the program has the MAC address %s of its bridge %s: %s", at.MAC,
			words.Escape(br.Name), evidence), means, change)
	}
	return one(Warning, fmt.Sprintf("the program has the MAC address %s of %s, another port of its bridge %s: %s",
		at.MAC, words.Escape(at.Name), words.Escape(br.Name), evidence), means, change)
}
