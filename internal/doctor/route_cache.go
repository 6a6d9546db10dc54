package doctor

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// routeCache finds what the kernel has learned from ICMP messages about a path, and keeps although the path may be
// better now: a small MTU, or a gateway that does not answer. Without a destination in the question, it examines all
// paths through the device, but if this host has very many routes, which the kernel would go through for that, only the
// path of the packet.
func routeCache(j *journey) (found []Finding) {
	out := j.outlet()
	if j.course == toProgram {
		out = j.layer3()
	}
	if out == nil || !j.packet.To.IsValid() {
		return nil
	}
	var ways []evidence.Way
	_, fewRoutes := j.host.SomeRoutes(j.packet.IPv6())
	if j.explicit() || !fewRoutes && j.course == toProgram {
		way, err := j.host.Find(j.packet)
		if err != nil || way.Refusal != 0 || way.Index != out.Index {
			return nil
		}
		ways = []evidence.Way{way}
	} else if j.course == toProgram {
		ways = j.host.Exceptions(out.Index, j.packet.IPv6())
	}
	for _, way := range ways {
		if found = append(found, j.learned(way, out)...); !passes(found) {
			break // the fix removes all of them
		}
	}
	return found
}

// learned judges what the kernel has learned about one path.
func (j *journey) learned(way evidence.Way, out *netcfg.Device) []Finding {
	to, name := way.To.Addr(), words.Escape(out.Name)
	flush := fix.Run(ip(append(family(to), "route", "flush", "cache")...))
	flush.After = "  # until an ICMP message reports it again"
	if way.Redirected() {
		what := fmt.Sprintf("packets to %s go to the gateway %s of %s, as an ICMP redirect said", to, way.Via, name)
		dead := func(n evidence.Neighbour) bool {
			return n.Index == out.Index && n.To == way.Via && n.State&(unix.NUD_FAILED|unix.NUD_INCOMPLETE) != 0
		}
		if !slices.ContainsFunc(j.host.Neighbours(out.Index), dead) {
			return ok(what)
		}
		return one(Error, what+", and nobody answers there",
			"the kernel keeps the redirect in its cache of routes", flush)
	}
	if !way.Learned() || int(way.MTU) >= out.MTU {
		return nil
	}
	what := fmt.Sprintf("the kernel has learned the MTU %d of the path to %s, and the MTU of %s is %d", way.MTU, to,
		name, out.MTU)
	if int(way.MTU) >= link.MTUMinV6 {
		return ok(what) // such as through another tunnel
	}
	return one(Warning, what, fmt.Sprintf("a router reported it (ICMP), and the kernel keeps it in its cache of "+
		"routes for some minutes, even if the path is better now; packets of more than %d bytes are sent in "+
		"fragments, or refused with \"message too long\"", way.MTU), flush)
}
