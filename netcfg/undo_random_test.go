package netcfg

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/users"
)

// statesTried is the number of random states. It is four times as large if no test may be skipped. TUNADM_TEST_STATES
// overrides it.
const statesTried = 75

// TestAFailedChangeLeavesNoTrace creates a random device with random addresses and routes, and makes a random change
// that fails at a random step: the kernel refuses the step, or the run is interrupted. Afterwards the kernel's messages
// must be as before. Each fourth state is tried as on Linux 5.10. TUNADM_TEST_SEED repeats a run.
func TestAFailedChangeLeavesNoTrace(t *testing.T) {
	states, seed := statesTried, rand.Uint64N(1<<40)
	if os.Getenv("TUNADM_TEST_ALL") == "1" {
		states *= 4
	}
	if s := os.Getenv("TUNADM_TEST_STATES"); s != "" {
		states, _ = strconv.Atoi(s)
	}
	if s := os.Getenv("TUNADM_TEST_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	ns := open(t)
	batch(t, false, "link set lo up", "link add v0 type veth peer name v1", "link set v0 up", "link set v1 up",
		"link add br0 type bridge",
		"link add br1 type bridge", "link set br1 up", "tuntap add dev port mode tap", "link set port master br1",
		"addr add 10.99.0.1/24 dev v0 noprefixroute", "route add 10.201.0.0/16 dev lo",
		"route add fd00:201::/64 dev lo")
	awaitLinkLocal(t, "v0", "v1")
	failed := map[string]int{}
	for i := range uint64(states) {
		g := &generator{Rand: rand.New(rand.NewPCG(seed+i, 0))}
		if ns.features = allFeatures; (seed+i)%4 == 0 {
			ns.features = 0
		}
		if what := g.try(t, ns); what != "" {
			failed[what]++
		}
		if (i+1)%1000 == 0 {
			t.Logf("%d states", i+1)
		}
		if t.Failed() {
			t.Fatalf("state %d: TUNADM_TEST_SEED=%d TUNADM_TEST_STATES=1 repeats it", i, seed+i)
		}
	}
	undone := 0
	for _, n := range failed {
		undone += n
	}
	t.Logf("seed %d: %d states, %d changes failed after a step: %v", seed, states, undone, failed)
	if states >= statesTried && undone < states/4 {
		t.Errorf("too few changes failed after a step")
	}
}

// awaitLinkLocal waits for the link-local addresses that the kernel adds once it notices the carrier, a moment later.
func awaitLinkLocal(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		for deadline := time.Now().Add(nstest.Patience(10 * time.Second)); ; time.Sleep(5 * time.Millisecond) {
			if ip(t, "-6 route show dev "+name+" proto kernel fe80::/64") != "" {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s has no link-local address", name)
			}
		}
	}
}

// batch runs lines with ip(8). If force is set, it skips lines that the kernel refuses.
func batch(t *testing.T, force bool, lines ...string) {
	t.Helper()
	args := []string{"-batch", "-"}
	if force {
		args = append([]string{"-force"}, args...)
	}
	cmd := exec.Command("ip", args...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil && !force {
		t.Fatalf("%v: %s", err, out)
	}
}

// A generator generates one state and one change.
type generator struct {
	*rand.Rand
	mode  link.Mode
	lines []string
}

func (g *generator) often(percent int) bool { return g.IntN(100) < percent }

func pick[T any](g *generator, of ...T) T { return of[g.IntN(len(of))] }

func (g *generator) line(format string, args ...any) {
	g.lines = append(g.lines, fmt.Sprintf(format, args...))
}

// try creates the state, makes the change, and compares. It returns the error of the change, or "" if no step had run.
func (g *generator) try(t *testing.T, ns *Namespace) string {
	g.state()
	batch(t, true, g.lines...)
	quiet, err := ns.canAttachWithoutCarrier()
	if err != nil {
		t.Fatal(err)
	}
	if !quiet {
		nstest.Settle(t)
	}
	before := dumps(t, ns)
	want := g.change()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var held *os.File
	steps, fatal := 0, g.IntN(4)
	kind := g.failure(want)
	if kind == "access" && !quiet { // the test's own attachment would turn the carrier on
		kind = "signal"
	}
	results, err := ns.Run(ctx, []Change{{Name: "x7", Want: want, Expect: Present}}, Options{Log: func(Step) {
		if steps++; steps-1 != fatal {
			return
		}
		switch kind {
		case "signal":
			cancel()
		case "access":
			flags := uint16(g.mode) | unix.IFF_NO_PI | unix.IFF_NO_CARRIER
			held, _ = nstest.Attach("x7", flags) // fails if the device is multi-queue
		}
	}})
	if held != nil {
		held.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	r := results[0]
	if r.Err == nil {
		return ""
	}
	if !quiet { // an attachment has turned the carrier on and off
		nstest.Settle(t)
	}
	after := dumps(t, ns)
	if r.UndoErr != nil || !slices.Equal(before, after) {
		t.Errorf("failed: %v\nundo: %v", r.Err, r.UndoErr)
		for _, s := range r.Steps {
			t.Logf("done: %s", s)
		}
		t.Logf("state:\n%s", strings.Join(g.lines, "\n"))
		same(t, strings.Join(before, "\n"), strings.Join(after, "\n"))
	}
	if len(r.Steps) == 0 {
		return ""
	}
	return kind
}

// state generates the ip(8) lines that create a device.
func (g *generator) state() {
	g.mode = pick(g, link.TUN, link.TAP)
	g.line("link del x7")
	g.line("route flush dev v0 proto zebra")
	g.line("tuntap add dev x7 mode %s %s %s", g.mode, pick(g, "", "", "user "+ordinary(), "group "+ordinary()),
		pick(g, "", "", "multi_queue"))
	mtu := pick(g, 1500, 1500, 1280, 1400, 9000, 1000)
	g.line("link set x7 mtu %d txqueuelen %d group %d", mtu, pick(g, 500, 7, 1000), pick(g, 0, 0, 51))
	for _, words := range []string{"alias before", "multicast off", "promisc on", "arp off", "addrgenmode none",
		"allmulticast on"} {
		if g.often(20) {
			g.line("link set dev x7 %s", words)
		}
	}
	if g.mode == link.TAP && g.often(30) {
		g.line("link set x7 master br0")
	}
	early := g.often(30)
	up := g.often(85)
	if up && !early {
		g.line("link set x7 up")
	}
	for range g.IntN(5) {
		g.line("addr add %s dev x7 %s", g.address4(),
			pick(g, "", "", "label x7:one", "valid_lft 5000 preferred_lft 4000", "noprefixroute", "scope link",
				"broadcast +", "metric 5"))
	}
	for range g.IntN(5) { // without a carrier, duplicate address detection never finishes on a tap
		g.line("addr add %s dev x7 %s", g.address6(),
			pick(g, "nodad", "nodad", map[link.Mode]string{link.TAP: "nodad"}[g.mode],
				"nodad noprefixroute", "nodad valid_lft 5000 preferred_lft 4000", "nodad preferred_lft 0"))
	}
	if up && early {
		g.line("link set x7 up")
	}
	for range g.IntN(7) {
		g.line("%s", g.route())
	}
}

// ordinary is an ordinary user, or the only one of a user namespace.
func ordinary() string {
	if nstest.Real() {
		return "1000"
	}
	return "0"
}

func (g *generator) address4() string {
	return g.number(pick(g, "10.1.0.%d/24", "10.2.0.%d/24", "10.1.0.%d/16", "10.3.0.%d/32",
		"10.4.0.%d peer 10.4.1.9/32"))
}

func (g *generator) address6() string {
	return g.number(pick(g, "fd00:1::%d/64", "fd00:2::%d/64", "fd00:1::%d/128", "2001:db8::%d/48", "fe80::%d/64",
		"fd00:4::%d peer fd00:4::9/128"))
}

// route generates an ip(8) line that adds a route of any protocol, table and form; the kernel may refuse it.
func (g *generator) route() string {
	protocol := pick(g, "boot", "static", "static", "bird", "zebra", "188", "kernel", "redirect")
	rest := fmt.Sprintf("proto %s table %s %s", protocol, pick(g, "main", "main", "99"),
		pick(g, "", "metric 5", "metric 77"))
	n := g.IntN(4)
	if g.often(40) {
		return fmt.Sprintf("route add fd00:2%d::/64 %s dev x7 %s %s", n, pick(g, "", "via fd00:1::9", "via fe80::9"),
			rest,
			pick(g, "", "", "src fd00:1::1", "mtu 1300", "expires 4000"))
	}
	switch g.IntN(10) {
	case 0:
		return fmt.Sprintf("route add 10.4%d.0.0/16 dev v0 src 10.%d.0.1 proto zebra", n, 1+g.IntN(2))
	case 1:
		return fmt.Sprintf("route add 10.5%d.0.0/16 %s nexthop via 10.1.0.8 dev x7 nexthop via 10.1.0.9 dev %s", n,
			rest, pick(g, "x7", "x7", "v0 onlink"))
	case 2:
		return fmt.Sprintf("route append 10.2%d.0.0/16 dev x7 %s", n, rest)
	}
	return fmt.Sprintf("route add %s10.2%d.0.0/16 %s dev x7 %s %s", pick(g, "", "", "", "blackhole "), n,
		pick(g, "", "via 10.1.0.9", "via 10.2.0.9", "via 10.66.0.9 onlink"), rest,
		pick(g, "", "", "src 10.1.0.1", "src 10.2.0.2", "mtu 1300", "scope link", "tos 8"))
}

// change generates a random Spec.
func (g *generator) change() *Spec {
	want := &Spec{Name: "x7"}
	maybe := func(percent int, set func()) {
		if g.often(percent) {
			set()
		}
	}
	maybe(30, func() { want.MTU = on(pick(g, 1500, 1400, 1290, 1100, 2000)) })
	maybe(30, func() { want.TxQueueLen = on(pick(g, 9, 500)) })
	maybe(20, func() { want.Alias = on("after") })
	maybe(20, func() { want.Promisc = on(g.often(50)) })
	maybe(20, func() { want.Multicast = on(g.often(50)) })
	maybe(40, func() { want.Up = on(g.often(70)) })
	maybe(20, func() { want.Master = &Master{Name: pick(g, "", "br1", "br0")} })
	// a bridge follows its port, permanently if that removes its IPv6: there is a warning
	if want.Master != nil && want.MTU != nil {
		want.MTU = on(1290)
	}
	if g.mode == link.TAP {
		maybe(20, func() { want.MAC = link.MAC{2, 0, 0, 0, 0, byte(g.IntN(9))} })
	}
	list := func(n int) *[]Address {
		var all []Address
		for range n {
			a := address(pick(g, g.address4(), g.address6()))
			if a.Local.Is4() && g.often(30) {
				a.Broadcast = pick(g, a.Derived().Broadcast, address("10.9.9.9").Local)
			}
			if !slices.ContainsFunc(all, func(b Address) bool { return a.Local == b.Local }) {
				all = append(all, a)
			}
		}
		return &all
	}
	switch g.IntN(4) {
	case 0:
		want.Addresses = list(g.IntN(4))
	case 1:
		want.AddAddresses = *list(1 + g.IntN(3))
	case 2:
		want.RemoveAddresses = *list(1)
	}
	ways := []string{"10.70.0.0/16", "10.20.0.0/16", "10.71.0.0/16 metric 5 table 99", "fd00:70::/64"}
	switch g.IntN(4) {
	case 0:
		want.Routes = routes(ways[:g.IntN(3)]...)
	case 1:
		want.AddRoutes = *routes(pick(g, ways...))
	}
	return want
}

// number fills in a random host number.
func (g *generator) number(format string) string { return fmt.Sprintf(format, 1+g.IntN(3)) }

// failure adds a step that the kernel refuses, or none if another disturbance is to come.
func (g *generator) failure(want *Spec) string {
	kind := pick(g, "signal", "signal", "access", "taken", "taken", "master", "alias", "mac")
	switch kind {
	case "access":
		want.Access = &users.Access{User: &users.ID{Number: 1000}, Group: &users.ID{Number: 1000}}
	case "taken":
		want.AddRoutes = append(want.AddRoutes, pick(g, route("10.201.0.0/16"), route("fd00:201::/64")))
	case "master":
		want.Master = &Master{Name: "v0"}
	case "alias":
		want.Alias = on(strings.Repeat("x", 300))
	case "mac":
		if g.mode == link.TAP {
			want.MAC = link.MAC{1, 0, 0, 0, 0, 1}
		}
	}
	if want.Up == nil && kind == "taken" && g.often(90) {
		want.Up = on(true)
	}
	return kind
}

// dumps returns the kernel's state of all links, addresses and routes, a line each; addresses in the kernel's order.
func dumps(t *testing.T, ns *Namespace) []string {
	t.Helper()
	var all []string
	add := func(lines []string, err error) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, lines...)
	}
	add(rtnl.Dump(ns.socket, rtnl.AskLink(0, 0, "", false), linkLine))
	add(rtnl.Dump(ns.socket, rtnl.Request(unix.RTM_GETADDR, 0, nl.NewIfAddrmsg(unix.AF_UNSPEC)), addressLine))
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		lines, err := rtnl.Dump(ns.socket, rtnl.Request(unix.RTM_GETROUTE, 0,
			&nl.RtMsg{RtMsg: unix.RtMsg{Family: family}}), routeLine)
		slices.Sort(lines)
		add(lines, err)
	}
	return all
}

// attributes returns the attributes of a message as the netlink library reads them.
func attributes(b []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		all, _ := nl.ParseRouteAttr(b)
		for _, a := range all {
			if !yield(a.Attr.Type&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), a.Value) {
				return
			}
		}
	}
}

// raw returns a message's attributes by kind, without some kinds.
func raw(head string, attributesOf []byte, without ...uint16) string {
	var parts []string
	for kind, value := range attributes(attributesOf) {
		if !slices.Contains(without, kind) {
			parts = append(parts, fmt.Sprintf("%03d=%x", kind, value))
		}
	}
	slices.Sort(parts)
	return head + " " + strings.Join(parts, " ")
}

// linkLine leaves out counters, timers and the fields that follow the carrier.
func linkLine(body []byte) (string, bool) {
	d := decodeLink(body)
	const flags = unix.IFF_UP | unix.IFF_PROMISC | unix.IFF_ALLMULTI | unix.IFF_MULTICAST | unix.IFF_NOARP |
		unix.IFF_POINTOPOINT | unix.IFF_BROADCAST
	head := fmt.Sprintf("link %d %s %#x", d.Index, d.Name, rtnl.Uint32(body[8:])&flags)
	kept := []uint16{unix.IFLA_ADDRESS, unix.IFLA_BROADCAST, unix.IFLA_MTU, unix.IFLA_TXQLEN, unix.IFLA_IFALIAS,
		unix.IFLA_GROUP, unix.IFLA_MASTER, unix.IFLA_PROMISCUITY,
		unix.IFLA_ALLMULTI, unix.IFLA_PROTO_DOWN, unix.IFLA_NUM_TX_QUEUES}
	if d.Kind == "tun" {
		kept = append(kept, unix.IFLA_LINKINFO)
	}
	var without []uint16
	for kind := range attributes(body[unix.SizeofIfInfomsg:]) {
		if !slices.Contains(kept, kind) {
			without = append(without, kind)
		}
	}
	return raw(head, body[unix.SizeofIfInfomsg:], without...), true
}

// rounded rounds a lifetime to thousands of seconds, so that it does not run down during a test.
func rounded(seconds uint32) uint32 {
	if seconds == ^uint32(0) {
		return seconds
	}
	return (seconds + 999) / 1000
}

func addressLine(body []byte) (string, bool) {
	a, ok := decodeAddress(body)
	var flags, preferred, valid uint32
	for kind, value := range attributes(body[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_FLAGS:
			flags = rtnl.Uint32(value) &^ unix.IFA_F_TENTATIVE
		case unix.IFA_CACHEINFO:
			preferred, valid = rounded(rtnl.Uint32(value)), rounded(rtnl.Uint32(value[4:]))
		}
	}
	head := fmt.Sprintf("address %d %s %#x scope %d lifetime %d %d", a.index, a.Address, flags, body[3], preferred,
		valid)
	return raw(head, body[unix.SizeofIfAddrmsg:], unix.IFA_FLAGS, unix.IFA_CACHEINFO), ok
}

// routeLine leaves out the routes that IPv6 derives from an address, or from its peer, a moment later, and the flags
// that follow the carrier, which the kernel notices a moment later.
func routeLine(body []byte) (string, bool) {
	const state = unix.RTNH_F_DEAD | unix.RTNH_F_LINKDOWN
	cloned := rtnl.Uint32(body[8:])&unix.RTM_F_CLONED != 0
	if cloned || body[0] == unix.AF_INET6 && body[5] == unix.RTPROT_KERNEL &&
		(body[7] != unix.RTN_UNICAST || body[1] == 128) || body[7] == unix.RTN_MULTICAST {
		return "", false
	}
	expires, body := uint32(0), slices.Clone(body)
	for kind, value := range attributes(body[unix.SizeofRtMsg:]) {
		switch {
		case kind == unix.RTA_CACHEINFO && len(value) >= 12:
			expires = rounded(rtnl.Uint32(value[8:]) / 100 /* USER_HZ */)
		case kind == unix.RTA_MULTIPATH: // struct rtnexthop: the length, the flags
			for len(value) >= unix.SizeofRtNexthop {
				value[2] &^= state
				value = value[min(max(int(rtnl.Uint16(value)), unix.SizeofRtNexthop), len(value)):]
			}
		}
	}
	r, _ := decodeRoute(body, int(body[0]))
	to := cmp.Or(r.String(), fmt.Sprintf("type %d", body[7]))
	head := fmt.Sprintf("route %d/%d %x flags %#x expires %d %s", body[0], body[5], body[1:8],
		rtnl.Uint32(body[8:])&^(state|unix.RTM_F_CLONED), expires, to)
	return raw(head, body[unix.SizeofRtMsg:], unix.RTA_CACHEINFO), true
}
