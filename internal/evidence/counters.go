package evidence

import (
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/files"
)

// Counter returns a counter of the network namespace: file is snmp, netstat, snmp6, xfrm_stat or sctp/snmp below
// /proc/net, or one in stat; group is Ip, Icmp, TcpExt and the like, "" in snmp6 and xfrm_stat. It returns 0 if
// the kernel does not have that counter.
func (h *Host) Counter(file, group, name string) uint64 { return h.Counters(file)[key(group, name)] }

// CounterNow reads the counters of a file again, and returns one of them.
func (h *Host) CounterNow(file, group, name string) uint64 {
	delete(h.counts, file)
	return h.Counter(file, group, name)
}

func key(group, name string) string {
	if group == "" {
		return name
	}
	return group + "." + name
}

// Counters returns all counters of a file below /proc/net by Group.Name; in snmp6, by name. Do not change them.
func (h *Host) Counters(file string) map[string]uint64 {
	now, read := h.counts[file]
	if !read {
		now = h.absolute(file)
		if h.since != nil {
			now = h.since.counters(file, now)
		}
		h.counts[file] = now
	}
	return now
}

func (h *Host) absolute(file string) map[string]uint64 {
	found := map[string]uint64{}
	b, err := h.file("/proc/thread-self/net/" + file)
	if err != nil {
		return found
	}
	if strings.HasPrefix(file, "stat/") {
		return perProcessor(string(b))
	}
	var names []string // the fields of the line before
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		group, grouped := strings.CutSuffix(fields[0], ":")
		switch {
		case !grouped:
			found[fields[0]], _ = strconv.ParseUint(fields[1], 10, 64)
		case len(names) != len(fields) || names[0] != fields[0]:
			names = fields
		default:
			for i, field := range fields[1:] {
				found[key(group, names[i+1])], _ = strconv.ParseUint(field, 10, 64)
			}
			names = nil
		}
	}
	return found
}

// Sysctl returns a sysctl below /proc/sys/net, such as ipv4/conf/tun0/rp_filter; ok is false if there is none.
func Sysctl(path string) (value string, ok bool) {
	b, err := files.Read("/proc/sys/net/" + path)
	return strings.TrimSpace(string(b)), err == nil
}
