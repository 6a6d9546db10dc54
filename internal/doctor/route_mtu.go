package doctor

import (
	"fmt"
	"strconv"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
)

// routeMTU finds a route that locks a smaller MTU than that of its device, so that path MTU discovery is off. Unless
// the question is about the packet, that is normal for an MTU that IPv6 accepts.
func routeMTU(j *journey) []Finding {
	way, err := j.host.Find(j.packet)
	layer3 := j.layer3()
	if err != nil || way.Refusal != 0 || way.Local() || way.Index != layer3.Index || way.MTU == 0 ||
		int(way.MTU) >= layer3.MTU || way.Learned() {
		return nil
	}
	if !way.MTULocked || int(way.MTU) >= link.MTUMinV6 && !j.explicit() {
		return ok(fmt.Sprintf("the MTU of the path to %s is %d, and that of %s %d", j.packet.To, way.MTU,
			words.Escape(layer3.Name), layer3.MTU))
	}
	match, err := j.host.Match(j.packet)
	if err != nil || match.Refusal != 0 {
		return nil
	}
	what := fmt.Sprintf("the route to %s locks the MTU %d, and the MTU of %s is %d (mtu lock)", match.To, way.MTU,
		words.Escape(layer3.Name), layer3.MTU)
	means := fmt.Sprintf("packets of more than %d bytes are sent in fragments, or refused with \"message too long\"",
		way.MTU)
	if match.Special {
		return one(Warning, what, means, fix.Sentence("change the route without mtu: ip route show "+match.To.String()))
	}
	change := append(family(j.packet.To), "route", "change", match.To.String())
	if match.Via.IsValid() {
		change = append(change, "via", match.Via.String())
	}
	change = append(change, "dev", layer3.Name)
	if match.Source.IsValid() {
		change = append(change, "src", match.Source.String())
	}
	if match.Metric != 0 {
		change = append(change, "metric", strconv.FormatUint(uint64(match.Metric), 10))
	}
	return one(Warning, what, means, fix.Run(ip(inTable(change, match.Table)...)))
}
