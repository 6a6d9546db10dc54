package evidence

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// ProxyLinks returns the indexes of the links on which this host answers ARP or neighbour discovery for another host's
// address, by an entry of ip neigh add proxy; 0: all links.
func (h *Host) ProxyLinks(to netip.Addr) (indexes []int) {
	header := make(rawBytes, unix.SizeofNdMsg)
	header[0], header[10] = unix.AF_INET, unix.NTF_PROXY
	if to.Is6() {
		header[0] = unix.AF_INET6
	}
	all, _ := rtnl.Dump(h.socket, rtnl.Request(unix.RTM_GETNEIGH, unix.NLM_F_DUMP, header), decodeNeighbour)
	for _, n := range all {
		if n.To == to && n.Flags&unix.NTF_PROXY != 0 && !slices.Contains(indexes, n.Index) {
			indexes = append(indexes, n.Index)
		}
	}
	return indexes
}
