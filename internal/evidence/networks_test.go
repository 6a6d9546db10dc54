package evidence

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// amongMany enters a network namespace with the links a, b and c and 300 addresses of another one.
func amongMany(t *testing.T) {
	t.Helper()
	nstest.NeedProgram(t, "ip")
	nstest.Enter(t)
	lines := []string{"link set lo up"}
	for _, name := range []string{"a", "b", "c", "many"} {
		lines = append(lines, "link add name "+name+" type bridge", "link set dev "+name+" up")
	}
	for i := range 300 {
		lines = append(lines, fmt.Sprintf("addr add 10.%d.%d.1/24 dev many", 200+i/256, i%256))
	}
	batch(t, lines...)
}

// batch runs lines of ip(8).
func batch(t *testing.T, lines ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "batch")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nstest.Run(t, "ip", "-batch", file)
}

// reopen returns a host of which nothing was read.
func reopen(t *testing.T) *Host {
	t.Helper()
	h, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// TestLinksIn compares the answers for one network with the list of all addresses. Where the kernel would hide a link
// behind another one, they must not be known.
func TestLinksIn(t *testing.T) {
	const network = "10.1.0.0/24"
	for _, test := range []struct {
		name  string
		known bool
		lines []string
	}{
		{"nobody", true, nil},
		{"one", true, []string{"addr add 10.1.0.1/24 dev a"}},
		{"no route to the network", true, []string{"addr add 10.1.0.1/24 dev a noprefixroute"}},
		{"a peer", true, []string{"addr add 10.9.0.1 peer 10.1.0.2/24 dev a"}},
		{"a secondary address", true, []string{"addr add 10.1.0.1/24 dev a", "addr add 10.1.0.2/24 dev a"}},
		{"a metric", true, []string{"addr add 10.1.0.1/24 dev a metric 50"}},
		{"a broadcast address", true, []string{"addr add 10.1.0.1/24 brd 10.1.0.9 dev a"}},
		{"a smaller network", true, []string{"addr add 10.1.0.1/24 dev a", "addr add 10.1.0.65/26 dev b"}},
		{"a larger network", true, []string{"addr add 10.1.0.1/24 dev a", "addr add 10.0.5.1/15 dev b"}},
		{"a larger network that begins there", false,
			[]string{"addr add 10.1.0.1/24 dev a", "addr add 10.1.1.1/23 dev b"}},
		{"a host route", true, []string{"addr add 10.1.0.1/24 dev a", "route add 10.1.0.7 dev b"}},
		{"another table", false, []string{"addr add 10.1.0.1/24 dev a", "route add 10.1.0.0/24 dev b table 100",
			"rule add pref 100 lookup 100"}},
		{"twice", false, []string{"addr add 10.1.0.1/24 dev a", "addr add 10.1.0.2/24 dev b"}},
		{"twice, one without a route", false,
			[]string{"addr add 10.1.0.1/24 dev a", "addr add 10.1.0.2/24 dev b noprefixroute"}},
		{"twice, a peer", false, []string{"addr add 10.1.0.1/24 dev a", "addr add 10.9.0.1 peer 10.1.0.2/24 dev b"}},
		{"one address twice", false, []string{"addr add 10.1.0.1/24 dev a", "addr add 10.1.0.1/24 dev b"}},
		{"after the first was down", false, []string{"addr add 10.1.0.1/24 dev a", "addr add 10.1.0.2/24 dev b",
			"link set dev a down", "link set dev a up"}},
		{"three", false, []string{"addr add 10.1.0.1/24 dev a", "addr add 10.1.0.2/24 dev b",
			"addr add 10.1.0.3/24 dev c"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			amongMany(t)
			batch(t, test.lines...)
			h := reopen(t)
			got, known := h.LinksIn([]netip.Prefix{netip.MustParsePrefix(network)})
			var want []int
			for _, a := range h.Addresses(0, false) {
				if a.Subnet().String() == network && !slices.Contains(want, a.Index) {
					want = append(want, a.Index)
				}
			}
			switch {
			case test.known && (!known || !slices.Equal(got, want)):
				t.Errorf("got %v, %v, want %v", got, known, want)
			case known && slices.ContainsFunc(want, func(index int) bool { return !slices.Contains(got, index) }):
				t.Errorf("got %v, which lacks one of %v", got, want)
			}
		})
	}
}

// TestLinksInSmallNetworks looks for an address, and for networks of two.
func TestLinksInSmallNetworks(t *testing.T) {
	amongMany(t)
	batch(t, "rule add pref 100 lookup 100", // the table local is then apart from main
		"addr add 10.1.0.1/24 dev a", "addr add 10.2.0.0/31 dev b", "addr add 10.3.0.1/31 dev c",
		"link set dev a down")
	h := reopen(t)
	for network, name := range map[string]string{
		"10.1.0.1/32": "a", "10.1.0.2/32": "", "10.2.0.0/31": "b", "10.3.0.0/31": "c", "10.4.0.0/31": "",
	} {
		var want []int
		if name != "" {
			link, err := net.InterfaceByName(name)
			if err != nil {
				t.Fatal(err)
			}
			want = []int{link.Index}
		}
		got, known := h.LinksIn([]netip.Prefix{netip.MustParsePrefix(network)})
		if !known || !slices.Equal(got, want) {
			t.Errorf("%s: got %v, %v, want %v", network, got, known, want)
		}
	}
	if _, known := h.LinksIn([]netip.Prefix{netip.MustParsePrefix("fd00::/64")}); known {
		t.Error("the links of an IPv6 network are known")
	}
}

// TestTheKernelCountsRoutesPerTable parses a text of fib_triestat. Without the file, no table has counts.
func TestTheKernelCountsRoutesPerTable(t *testing.T) {
	const text = "Basic info: size of leaf: 48 bytes, size of tnode: 40 bytes.\n" +
		"Id 100:\n\tAver depth:     1.00\n\tLeaves:         7\n\tPrefixes:       9\nNull ptrs: 2\n" +
		"Main:\n\tAver depth:     1.33\n\tLeaves:         300\n\tPrefixes:       301\n\t  1: 1  2: 3\n" +
		"Local:\n\tLeaves:         12\n\tPrefixes:       12\nTotal size: 674  kB\n"
	got := readTries(text)
	if got["Main"] != (trie{300, 301}) || got["Local"] != (trie{12, 12}) || got["Id 100"] != (trie{7, 9}) {
		t.Errorf("got %v", got)
	}
	h := fresh(nil, func(string) ([]byte, error) { return nil, unix.ENOENT })
	if _, known := h.LinksIn([]netip.Prefix{netip.MustParsePrefix("10.1.0.0/24")}); known || h.manyRoutes() {
		t.Error("something is known without counts")
	}
}

// TestPartsOfTheRoutesThroughALink compares the parts that the kernel selects with all routes through a link.
func TestPartsOfTheRoutesThroughALink(t *testing.T) {
	amongMany(t)
	batch(t, "addr add 10.1.0.1/24 dev a", "addr add fd00:1::1/64 dev a nodad", "route add 10.2.0.0/16 dev a",
		"route add 10.3.0.0/16 via 10.1.0.9 proto static", "route add 10.4.0.0/16 dev a proto bird",
		"route add local 10.5.0.0/16 dev a", "route add local 10.6.0.0/16 dev a proto static",
		"route add 10.7.0.0/16 dev a table 100", "route add default via 10.1.0.9 table 101 proto dhcp",
		"route add 0.0.0.0/1 dev a", "nexthop add id 5 dev a", "route add 10.8.0.0/16 nhid 5",
		"route add 10.9.0.0/16 nexthop dev a nexthop dev b", "route add fd00:2::/64 dev a",
		"route add blackhole 10.10.0.0/16", "route add 10.11.0.0/16 dev b", "route add fd00:3::/64 dev b")
	link, err := net.InterfaceByName("a")
	if err != nil {
		t.Fatal(err)
	}
	if !reopen(t).manyRoutes() {
		t.Fatal("there are few routes")
	}
	all := reopen(t).RoutesThrough(link.Index)
	for name, test := range map[string]struct {
		got  []rtnl.Route
		want func(rtnl.Route) bool
	}{
		"unicast": {reopen(t).UnicastThrough(link.Index), func(r rtnl.Route) bool {
			return r.Type == unix.RTN_UNICAST
		}},
		"configured": {reopen(t).ConfiguredThrough(link.Index), func(r rtnl.Route) bool {
			return r.Protocol == unix.RTPROT_BOOT || r.Protocol == unix.RTPROT_STATIC
		}},
		"default": {reopen(t).DefaultsThrough(link.Index), func(r rtnl.Route) bool { return r.To.Bits() <= 1 }},
	} {
		words := func(list []rtnl.Route) (text []string) {
			for _, r := range list {
				text = append(text, fmt.Sprintln(r.To, r.Table, r.Type, r.Protocol, r.Index, r.Nexthop, r.Hops))
			}
			slices.Sort(text)
			return text
		}
		want := words(slices.DeleteFunc(slices.Clone(all), func(r rtnl.Route) bool { return !test.want(r) }))
		if got := words(test.got); len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s:\n%v\nnot\n%v", name, got, want)
		}
	}
}

// TestListening compares the listening sockets alone with those of all.
func TestListening(t *testing.T) {
	nstest.NeedProgram(t, "ip")
	nstest.Enter(t)
	nstest.Run(t, "ip", "link", "set", "lo", "up")
	for _, address := range []string{"127.0.0.1:7001", "[::]:7002"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	c, err := net.Dial("tcp", "127.0.0.1:7001")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, address := range []string{"127.0.0.1:7003", "[::1]:7004"} {
		l, err := net.ListenPacket("udp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	alone, both := reopen(t), reopen(t)
	all := slices.DeleteFunc(slices.Clone(both.Sockets()), func(s Socket) bool { return !s.Listens() })
	if got := alone.Listening(); len(all) != 4 || !slices.Equal(got, all) || !slices.Equal(both.Listening(), all) {
		t.Errorf("got %v, want %v", got, all)
	}
}
