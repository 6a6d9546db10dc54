package doctor

import "github.com/tunadm/tunadm/internal/firewall"

// outputStages are the places that a packet of this host passes before it is handed to a device.
func outputStages() []stage {
	return []stage{
		{"local-end", localEnd}, {"route", route}, {"source", source},
		{"route-cache", routeCache}, {"route-mtu", routeMTU}, {"mark", marked}, {"ipsec", encrypted},
		{"tracking", tracking},
		{"firewall", hooks(firewall.Output, firewall.Postrouting, firewall.Egress)},
		{"firewall", resolution},
		{"firewall", answers(firewall.Ingress, firewall.BridgePrerouting, firewall.Prerouting, firewall.BridgeInput,
			firewall.Input)},
	}
}
