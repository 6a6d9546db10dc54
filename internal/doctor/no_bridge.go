package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// noBridge finds a tap with a program, but without an address and a bridge, while a bridge with an address has no port:
// libvirt and other programs that re-create a bridge do not add the ports again. Or the kernel's log names a bridge of
// which a link of this name was a port. All network namespaces share the log, so this may be another link.
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
	if logged != nil && logged.Kind != "bridge" {
		logged = nil
	}
	if len(empty) == 0 && logged == nil {
		return nil
	}
	what := "it has neither an address nor a bridge, and "
	means := "the frames of the program, " + packets(d.Stats.RxPackets) + ", reach no address of this host"
	if logged == nil {
		return one(Warning, what+portless(empty), means, v.joinFixes(empty)...)
	}
	all := slices.DeleteFunc(slices.Clone(empty), func(br *netcfg.Device) bool { return br == logged })
	switch {
	case len(empty) == 0:
		what += "may have been a port of the bridge " + called(logged)
		all = append(all, logged)
	case len(all) == len(empty):
		what += portless(empty)
		all = append(all, logged)
	default:
		all = slices.Insert(all, 0, logged)
		what += portless(all)
	}
	means = fmt.Sprintf("the kernel's log, which does not tell network namespaces apart, names a port %s of a bridge "+
		"%s; %s", words.Escape(d.Name), words.Escape(logged.Name), means)
	return one(Warning, what, means, append(v.joinFixes(all), v.addressFix())...)
}

// portless returns the clause that these bridges have no port.
func portless(bridges []*netcfg.Device) string {
	if len(bridges) == 1 {
		return "the bridge " + called(bridges[0]) + " has no port"
	}
	var names []string
	for _, br := range bridges {
		names = append(names, called(br))
	}
	return "these bridges have no port: " + strings.Join(names, ", ")
}

// called returns the name of a link, with its first address in parentheses.
func called(l *netcfg.Device) string {
	name := words.Escape(l.Name)
	if a := own(l); len(a) > 0 {
		name += " (" + a[0].String() + ")"
	}
	return name
}

// addressFix returns the command that gives the device an address of an unused network.
func (v *view) addressFix() fix.Fix {
	return fix.Run(fix.Tunadm("set", v.device.Name, "--address", v.freeAddress(false).String()))
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
	return v.asked() && d.Up && len(own(d)) == 0 && d.Master == "" && !v.hasRoutes(d) &&
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
	fixes := []fix.Fix{v.addressFix()}
	if v.device.Mode != link.TAP {
		return one(Warning, what, means, fixes...)
	}
	if bridges := v.bridges(); len(bridges) > 0 {
		what = "it has no address, and is not a port of a bridge"
		fixes = append(fixes, v.joinFixes(bridges)...)
	}
	return one(Warning, what, means, fixes...)
}
