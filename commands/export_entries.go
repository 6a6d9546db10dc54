package commands

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// entries are the links of a network namespace with the databases of its bridges. None of the formats has the entries
// of these databases.
type entries struct {
	host  *evidence.Host
	links map[int]*netcfg.Device
	left  map[int][]string // by the index of a bridge or a port: the commands of bridge(8) that export leaves out
}

// leftOfBridges returns the commands of bridge(8) for static entries of the forwarding and multicast databases, and for
// VLANs of bridges themselves, by the index of the bridge or of the port.
func leftOfBridges(links []*netcfg.Device) (map[int][]string, error) {
	isBridge := func(l *netcfg.Device) bool { return l.Kind == netcfg.Bridge }
	if !slices.ContainsFunc(links, isBridge) {
		return nil, nil
	}
	host, err := evidence.Open()
	if err != nil {
		return nil, err
	}
	defer host.Close()
	e := entries{host: host, links: map[int]*netcfg.Device{}, left: map[int][]string{}}
	for _, l := range links {
		e.links[l.Index] = l
	}
	for _, l := range links {
		if isBridge(l) {
			e.frames(l)
			e.vlans(l)
		}
	}
	e.groups()
	for _, list := range e.left { // the kernel lists entries in no order
		slices.Sort(list)
	}
	return e.left, nil
}

func (e *entries) leave(index int, format string, args ...any) {
	e.left[index] = append(e.left[index], "left out: bridge "+fmt.Sprintf(format, args...))
}

// frames leaves out the static entries of a forwarding database. The kernel adds one for the MAC address of each port
// and of the bridge, and those of the multicast groups that the host has joined.
func (e *entries) frames(bridge *netcfg.Device) {
	own := map[string]bool{}
	for _, l := range e.links {
		if l == bridge || l.MasterIndex() == bridge.Index {
			own[string(l.MAC)] = true
		}
	}
	for _, n := range evidence.WithoutCopies(e.host.Frames(bridge.Index)) {
		at := e.links[n.Index]
		if at == nil || at != bridge && at.MasterIndex() != bridge.Index || !n.Static() || own[string(n.MAC)] {
			continue
		}
		target := "master"
		switch ofLink := n.Flags&unix.NTF_SELF != 0; {
		case ofLink && (len(n.MAC) == 0 || n.MAC[0]&1 != 0):
			continue
		case ofLink || at == bridge:
			target = "self"
		case !n.Permanent():
			target += " static"
		}
		if n.Sticky() {
			target += " sticky"
		}
		if n.VLAN != 0 {
			target += fmt.Sprintf(" vlan %d", n.VLAN)
		}
		e.leave(at.Index, "fdb add %s dev %s %s", n.MAC, words.Quote(at.Name), target)
	}
}

// vlans leaves out the VLANs of a bridge itself, and the VLAN of a new one that it does not have.
func (e *entries) vlans(bridge *netcfg.Device) {
	own, pvid := e.host.Ports()[bridge.Index], bridge.Settings[rtnl.VLANDefaultPVID]
	if own == nil || pvid == nil { // a kernel without VLANs
		return
	}
	usual := rtnl.NewPort(pvid)
	odd := slices.DeleteFunc(slices.Clone(own.VLANs), func(v rtnl.VLAN) bool { return slices.Contains(usual, v) })
	for len(odd) > 0 {
		n := 1
		for n < len(odd) && odd[n] == (rtnl.VLAN{ID: odd[n-1].ID + 1, Untagged: odd[0].Untagged}) && !odd[0].PVID {
			n++
		}
		e.leave(bridge.Index, "vlan add dev %s %s self", words.Quote(bridge.Name), rangeWords(odd[0], odd[n-1].ID))
		odd = odd[n:]
	}
	for _, v := range usual {
		if !slices.ContainsFunc(own.VLANs, func(o rtnl.VLAN) bool { return o.ID == v.ID }) {
			e.leave(bridge.Index, "vlan del dev %s vid %d self", words.Quote(bridge.Name), v.ID)
		}
	}
}

// rangeWords returns the VLANs up to another one, with the same flags, as bridge vlan add accepts them.
func rangeWords(v rtnl.VLAN, last uint16) string {
	if v.ID == last {
		return v.Words()
	}
	id := fmt.Sprintf("vid %d", v.ID)
	return fmt.Sprintf("%s-%d", id, last) + strings.TrimPrefix(v.Words(), id)
}

// groups leaves out the permanent entries of the multicast databases.
func (e *entries) groups() {
	for _, g := range e.host.Groups() {
		bridge, port := e.links[g.Bridge], e.links[g.Port]
		if bridge == nil || port == nil || !g.Permanent {
			continue
		}
		e.leave(port.Index, "mdb add dev %s port %s %s permanent", words.Quote(bridge.Name), words.Quote(port.Name),
			g.Words())
	}
}
