package doctor

import "github.com/tunadm/tunadm/internal/firewall"

// receiveStages are the places between the program that writes a packet and the routing of this host.
func receiveStages() []stage {
	return []stage{
		{"firewall", hooks(firewall.Ingress, firewall.BridgePrerouting, firewall.Prerouting)},
	}
}
