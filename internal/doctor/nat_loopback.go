package doctor

import (
	"fmt"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// loopbackRoute finds packets that a rule of the firewall redirects to a loopback address, which the kernel does not
// accept as the destination of a packet that arrives through a device.
func loopbackRoute(j *journey) []Finding {
	if j.walk == nil || j.walk.steps == nil || j.frame() {
		return nil
	}
	to, dev := j.walk.steps.Goal().Addr(), j.layer3().Name
	if !to.Is4() || !to.IsLoopback() {
		return nil
	}
	if j.largest("route_localnet", dev) != 0 {
		return ok("packets that are redirected to " + to.String() + " are accepted (route_localnet 1)")
	}
	return one(Error, fmt.Sprintf("the firewall redirects %s to %s, and the kernel drops it as a martian "+
		"(net.ipv4.conf.%s.route_localnet 0)", j.packet, to, words.Escape(dev)),
		"the kernel accepts a loopback destination from a device only if route_localnet is 1",
		fix.Run(fix.Sysctl("ipv4", dev, "route_localnet", "1")))
}
