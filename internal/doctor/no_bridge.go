package doctor

import (
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// noBridge finds a tap with a program, but without an address and a bridge, while a bridge with an address has no port:
// libvirt and other programs that re-create a bridge do not add the ports again.
func noBridge(v *view) []Finding {
	d := v.device
	if d.Mode != link.TAP || !d.InUse() || !v.leadsNowhere(d) {
		return nil
	}
	var empty []*netcfg.Device
	logged := v.link(v.host.LoggedBridge(d.Name))
	for _, br := range v.bridges() {
		if len(own(br)) > 0 && !v.hasPorts(br.Index) {
			empty = append(empty, br)
		}
	}
	if len(empty) == 0 && (logged == nil || logged.Kind != "bridge") {
		return nil
	}
	means := "the frames of the program, " + packets(d.Stats.RxPackets) + ", reach no address of this host"
	if logged != nil && logged.Kind == "bridge" {
		empty = slices.DeleteFunc(empty, func(br *netcfg.Device) bool { return br == logged })
		empty = slices.Insert(empty, 0, logged)
		means = "the kernel logged that the tap was a port of " + words.Escape(logged.Name) + "; " + means
	}
	var names []string
	for _, br := range empty {
		name := words.Escape(br.Name)
		if a := own(br); len(a) > 0 {
			name += " (" + a[0].String() + ")"
		}
		names = append(names, name)
	}
	what := "it has neither an address nor a bridge, and the bridge " + names[0] + " has no port"
	switch {
	case len(names) > 1:
		what = "it has neither an address nor a bridge, and these bridges have no port: " + strings.Join(names, ", ")
	case v.hasPorts(empty[0].Index):
		what = "it is no longer a port of the bridge " + names[0]
	}
	return one(Warning, what, means, v.joinFixes(empty)...)
}

// joinFixes returns the commands that make the device a port of a bridge, of the first bridges if there are many.
func (v *view) joinFixes(bridges []*netcfg.Device) (list []fix.Fix) {
	const most = 3
	for _, br := range bridges[:min(most, len(bridges))] {
		list = append(list, fix.Run(fix.Tunadm("set", v.device.Name, "--master", br.Name)))
	}
	return list
}

// leadsNowhere reports whether a named device that is up has no address, no route, no master and, if a program uses it,
// no link on top of it and no filter or XDP program that redirects its packets: nothing on this host receives them.
func (v *view) leadsNowhere(d *netcfg.Device) bool {
	return v.asked() && d.Up && len(own(d))+len(d.Routes) == 0 && d.Master == "" &&
		(!d.InUse() || len(v.host.Uppers(d.Index)) == 0 && !v.redirects(d))
}

// redirects reports whether a traffic control filter or an XDP program may send what the program writes to another
// device.
func (v *view) redirects(d *netcfg.Device) bool {
	filters := v.host.Filters(d.Index, evidence.Ingress)
	return len(v.host.XDPPrograms(d.Index)) > 0 || slices.ContainsFunc(filters, func(f evidence.Filter) bool {
		return f.Redirects || f.Kind == "bpf"
	})
}

// bridges returns the bridges of the network namespace.
func (v *view) bridges() (all []*netcfg.Device) {
	for _, p := range v.host.Ports() {
		if p.Index != p.Bridge {
			continue
		}
		if br := v.byIndex(p.Index); br != nil {
			all = append(all, br)
		}
	}
	slices.SortFunc(all, func(a, b *netcfg.Device) int { return a.Index - b.Index })
	return all
}

// hasPorts reports whether a bridge has a port.
func (v *view) hasPorts(bridge int) bool {
	for _, p := range v.host.Ports() {
		if p.Bridge == bridge && p.Index != bridge {
			return true
		}
	}
	return false
}

// noAddressNorBridge finds a device named in the question that is up, and whose packets this host does not receive.
func (v *view) noAddressNorBridge() []Finding {
	if !v.leadsNowhere(v.device) {
		return ok("it has no address")
	}
	if noBridge(v) != nil {
		return nil
	}
	what := "it has no address"
	means := "no route leads to it, so this host sends no packet to it; " +
		"the address below is an example (an unused network)"
	fixes := []fix.Fix{fix.Run(fix.Tunadm("set", v.device.Name, "--address", v.freeAddress(false).String()))}
	if v.device.Mode != link.TAP {
		return one(Warning, what, means, fixes...)
	}
	if bridges := v.bridges(); len(bridges) > 0 {
		what = "it has no address, and is not a port of a bridge"
		fixes = append(fixes, v.joinFixes(bridges)...)
	}
	return one(Warning, what, means, fixes...)
}
