package doctor

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
)

// worseDefault finds that the default route through a named tun is not used, because another one in its table has a
// smaller metric: the VPN is connected, and all packets go past it.
func worseDefault(v *view) (found []Finding) {
	d := v.device
	if !v.asked() || !d.Up || !d.InUse() || d.Mode != link.TUN {
		return nil
	}
	for _, ipv6 := range []bool{false, true} {
		match, err := v.host.Match(flow.Packet{To: unknownHost(ipv6)})
		other := v.byIndex(match.Index)
		if err != nil || match.Refusal != 0 || match.To.Bits() != 0 || other == nil || other.Index == d.Index {
			continue
		}
		for _, r := range v.host.UnicastThrough(d.Index) {
			if r.To != match.To || r.Table != match.Table || r.Index != d.Index || r.Metric <= match.Metric {
				continue
			}
			name := words.Escape(d.Name)
			better := append(family(r.To.Addr()), "route", "add", "default")
			if r.Via.IsValid() {
				better = append(better, "via", r.Via.String())
			}
			better = append(better, "dev", d.Name, "metric", fmt.Sprint(max(match.Metric, 1)-1))
			found = append(found, one(Warning, fmt.Sprintf("packets to other networks leave through %s, whose default "+
				"route has the metric %d: that of %s has the larger metric %d", words.Escape(other.Name), match.Metric,
				name, r.Metric), "the kernel uses the default route with the smallest metric",
				fix.Run(ip(inTable(better, r.Table)...)))...)
			break
		}
	}
	return found
}
