package evidence

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// Tracking is the file of connection tracking's counters, for [Host.Counter]: invalid, drop, insert_failed and others.
const Tracking = "stat/nf_conntrack"

// Entries returns how many entries the neighbour table of a file below /proc/net/stat has: those of all network
// namespaces.
func (h *Host) Entries(file string) uint64 {
	b, _ := h.file("/proc/thread-self/net/stat/" + file)
	names, rows, _ := strings.Cut(string(b), "\n")
	first, _, _ := strings.Cut(rows, "\n") // each processor reports the same number
	return perProcessor(names + "\n" + first)["entries"]
}

// perProcessor adds the rows of a file that has one for each processor, in hexadecimal digits below their names.
func perProcessor(text string) map[string]uint64 {
	sums, names := map[string]uint64{}, []string(nil)
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if names == nil {
			names = fields
			continue
		}
		for i, name := range names {
			if i < len(fields) {
				n, _ := strconv.ParseUint(fields[i], 16, 64)
				sums[name] += n
			}
		}
	}
	return sums
}

// A Connection is one that the kernel tracks.
type Connection struct {
	Protocol       uint8 // IPPROTO_*
	From, To       netip.AddrPort
	Answers        netip.AddrPort // the destination of the answers: From, unless its source is translated
	Answerer       netip.AddrPort // the source of the answers: To, unless its destination is translated
	Replied        bool           // answers were seen
	SourceNAT      bool
	Mark, Lifetime uint32 // Lifetime: in seconds, if no packet follows
}

// Tracked returns how many connections the kernel tracks, and how many it may; 0: it tracks none.
func (h *Host) Tracked() (now, most uint64) {
	for name, n := range map[string]*uint64{"nf_conntrack_count": &now, "nf_conntrack_max": &most} {
		text, _ := Sysctl("netfilter/" + name)
		*n, _ = strconv.ParseUint(text, 10, 64)
	}
	return now, most
}

// Connections returns the connections whose sources are in a network. This requires CAP_NET_ADMIN.
func (h *Host) Connections(from netip.Prefix) []Connection {
	const get = 1 // IPCTNL_MSG_CT_GET
	if now, _ := h.Tracked(); now == 0 {
		return nil // reading would load the module
	}
	s, err := rtnl.Open(unix.NETLINK_NETFILTER)
	if err != nil {
		return nil
	}
	defer s.Close()
	family := uint8(unix.AF_INET)
	if from.Addr().Is6() {
		family = unix.AF_INET6
	}
	ask := rtnl.Request(unix.NFNL_SUBSYS_CTNETLINK<<8|get, unix.NLM_F_DUMP, rawBytes{family, 0, 0, 0})
	all, _ := rtnl.Dump(s, ask, func(body []byte) (Connection, bool) {
		c, ok := decodeConnection(body)
		return c, ok && from.Contains(c.From.Addr())
	})
	return all
}

// The attributes of ctnetlink.
const (
	ctOriginal, ctReply, ctStatus, ctTimeout, ctMark = 1, 2, 3, 7, 8 // CTA_*
	tupleAddresses, tupleProtocol                    = 1, 2          // CTA_TUPLE_*
	replySeen, sourceNAT                             = 1 << 1, 1 << 4
)

func decodeConnection(body []byte) (c Connection, ok bool) {
	const header = 4 // struct nfgenmsg
	if len(body) < header {
		return c, false
	}
	for kind, value := range rtnl.Attributes(body[header:]) {
		number := uint32(0)
		if len(value) == 4 {
			number = bigEndian(value)
		}
		switch kind {
		case ctOriginal:
			c.Protocol, c.From, c.To = decodeTuple(value)
		case ctReply:
			_, c.Answerer, c.Answers = decodeTuple(value)
		case ctStatus:
			c.Replied, c.SourceNAT = number&replySeen != 0, number&sourceNAT != 0
		case ctTimeout:
			c.Lifetime = number
		case ctMark:
			c.Mark = number
		}
	}
	return c, c.From.IsValid() && c.To.IsValid()
}

// bigEndian returns a number in network byte order.
func bigEndian(b []byte) (n uint32) {
	for _, one := range b {
		n = n<<8 | uint32(one)
	}
	return n
}

func decodeTuple(b []byte) (protocol uint8, from, to netip.AddrPort) {
	var ips [2]netip.Addr
	var ports [2]uint16
	for kind, part := range rtnl.Attributes(b) {
		for field, value := range rtnl.Attributes(part) {
			switch {
			case kind == tupleAddresses && field >= 1 && field <= 4: // IPv4 source and destination, then IPv6
				ips[(field-1)%2], _ = netip.AddrFromSlice(value)
			case kind != tupleProtocol:
			case field == 1 && len(value) == 1:
				protocol = value[0]
			case (field == 2 || field == 3) && len(value) == 2:
				ports[field-2] = uint16(bigEndian(value))
			}
		}
	}
	return protocol, netip.AddrPortFrom(ips[0], ports[0]), netip.AddrPortFrom(ips[1], ports[1])
}
