package doctor

import (
	"fmt"
	"strconv"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
)

// neighbourTable finds a full neighbour table: the kernel resolves no further address. Its limits and its counters are
// those of all network namespaces, and can be read in the first one alone.
func neighbourTable(j *journey) []Finding {
	file, family := "arp_cache", "ipv4"
	if j.packet.IPv6() {
		file, family = "ndisc_cache", "ipv6"
	}
	limit, n := j.number(family+"/neigh/default/gc_thresh3"), j.host.Counter("stat/"+file, "", "table_fulls")
	entries := j.host.Entries(file)
	if !j.frames() || limit == 0 || n == 0 || entries*10 < limit*9 {
		return nil // it is not full, or not any more
	}
	key := fmt.Sprintf("net.%s.neigh.default.gc_thresh3=%d", family, 4*limit)
	return []Finding{{Level: Warning, counted: n,
		What: fmt.Sprintf("the neighbour table is full: it has %d entries of at most %d (gc_thresh3), and was full "+
			"%d times", entries, limit, n),
		Means: "the kernel cannot store the MAC addresses of further hosts, and drops packets to them",
		Fixes: fixes(fix.Run(fix.ByRoot("sysctl", "-w", key)))}}
}

// number returns a sysctl below /proc/sys/net that is a number; 0: not known.
func (v *view) number(path string) uint64 {
	text, _ := evidence.Sysctl(path)
	n, _ := strconv.ParseUint(text, 10, 64)
	return n
}
