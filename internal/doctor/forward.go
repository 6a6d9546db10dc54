package doctor

import "github.com/tunadm/tunadm/internal/firewall"

// forwardStages are the places that a packet of the program for another host passes after its receipt.
func forwardStages() []stage {
	return []stage{
		{"firewall", hooks(firewall.Forward, firewall.Postrouting, firewall.Egress)},
		{"path-mtu", pathMTU},
		{"firewall", answers(firewall.Prerouting, firewall.Forward, firewall.Postrouting, firewall.Egress)},
	}
}
