package doctor

import (
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// localEnd finds a destination that is an address of this host: the kernel delivers packets to it through lo.
func localEnd(j *journey) []Finding {
	way, err := j.host.Find(j.packet)
	if err != nil || !way.Local() {
		return nil
	}
	from, to := j.packet.From, j.packet.To
	what := fmt.Sprintf("packets to %s never reach it: this is an address of this host", to)
	other := j.holderOf(to)
	switch {
	case to.IsLoopback():
		return one(Error, what, "the kernel delivers packets to a loopback address through the loopback device lo",
			fix.Sentence("use addresses of another network"))
	case other != nil && other.Index == j.device.Index:
		return one(Error, fmt.Sprintf("packets to %s never reach it: this is its own address", to),
			"the kernel delivers them through the loopback device lo",
			fix.Sentence("choose the address of the program, or another one of the network behind it"))
	case other == nil:
		if entry, err := j.host.Match(j.packet); err == nil && entry.Local() {
			way = j.localEntry(entry)
		}
		return one(Error, what, "a local route delivers them through the loopback device lo",
			fix.Run(ip(append(family(to), "route", "del", "local", way.To.String(), "table", tableWord(way.Table))...)))
	}
	means := fmt.Sprintf("%s has the address, so the kernel delivers the packets through the loopback device lo",
		words.Escape(other.Name))
	if other.Kind != "tun" || other.Mode != link.TUN || j.device.Mode != link.TUN {
		return one(Error, what, means, fix.Run(ip("addr", "del", addressWords(other, to), "dev", other.Name)))
	}
	loop := fix.Run(fix.Tunadm("loop", "", "--a-device", j.device.Name, "--a", from.String(), "--b-device", other.Name,
		"--b", to.String()))
	if !j.device.InUse() && !other.InUse() {
		return one(Error, what, means, loop)
	}
	loop.Before = "stop the attached program; the relay of this command takes its place: "
	divert := diversion(j.device, other, from, to)
	divert.After = "  # until the next boot, or until a device goes down; see tunadm loop in tunadm-packets(8)"
	return one(Error, what, means, divert, loop)
}

// localEntry corrects the table of a local route. The kernel keeps the tables local and main in one until there is a
// policy rule, and then answers with main for both.
func (j *journey) localEntry(entry evidence.Way) evidence.Way {
	for _, r := range j.host.Routes() {
		if r.Type == unix.RTN_LOCAL && r.To == entry.To {
			entry.Table = r.Table
		}
	}
	return entry
}

// diversion returns the commands that lead the traffic between an address of each of two devices through them.
func diversion(a, b *netcfg.Device, of, other netip.Addr) fix.Fix {
	const table = "200"
	do := func(words ...string) fix.Command { return ip(append(family(of), words...)...) }
	return fix.Run(
		do("route", "replace", other.String(), "dev", a.Name, "src", of.String(), "table", table),
		do("route", "replace", of.String(), "dev", b.Name, "src", other.String(), "table", table),
		do("rule", "add", "pref", "1000", "lookup", "local"),
		do("rule", "add", "pref", "100", "iif", a.Name, "lookup", "local"),
		do("rule", "add", "pref", "100", "iif", b.Name, "lookup", "local"),
		do("rule", "add", "pref", "200", "iif", "lo", "lookup", table),
		do("rule", "del", "pref", "0"))
}

// addressWords returns the address of a link as ip addr del accepts it.
func addressWords(l *netcfg.Device, local netip.Addr) string {
	for _, a := range l.Addresses {
		if a.Local == local {
			return a.String()
		}
	}
	return local.String()
}

// source finds a route whose preferred source is an address of another link, although the device has one in the same
// network: the program cannot answer.
func source(j *journey) []Finding {
	plain := j.packet
	plain.From = netip.Addr{}
	way, err := j.host.Find(plain)
	layer3 := j.layer3()
	subnet := j.part
	if err != nil || way.Refusal != 0 || way.Index != layer3.Index || !way.Source.IsValid() || subnet.IsSingleIP() ||
		subnet.Contains(way.Source) {
		return nil
	}
	for _, a := range own(layer3) {
		if a.Local == way.Source || a.Subnet() != subnet {
			continue
		}
		match, err := j.host.Match(plain)
		if err != nil || !match.Source.IsValid() {
			return nil
		}
		to := append(family(a.Local), "route", "change", match.To.String(), "dev", layer3.Name, "src", a.Local.String())
		if match.Metric != 0 {
			to = append(to, "metric", fmt.Sprint(match.Metric))
		}
		return one(Warning,
			fmt.Sprintf("packets to %s have the source %s, which is not one of its addresses", match.To, way.Source),
			"hosts behind it answer to an address that they may not reach", fix.Run(ip(inTable(to, match.Table)...)))
	}
	return nil
}

// marked finds a firewall rule that marks packets of this host, so that the kernel routes them again, to another link.
func marked(j *journey) (found []Finding) {
	p, known := j.located(j.packet)
	if !known || j.wall().err != nil || j.wall().rules.Empty() {
		return nil
	}
	mark, changed := j.wall().rules.Marked(p)
	if !changed {
		return nil
	}
	again := *j
	again.packet.Mark = mark
	for _, f := range route(&again) {
		if f.Level <= Warning {
			f.What = fmt.Sprintf("a firewall rule gives packets to %s the mark %#x; then %s", p.To, mark, f.What)
			found = append(found, f)
		}
	}
	return found
}
