package netcfg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/users"
)

// ip runs ip(8), the independent witness, with the words of a line; '...' quotes a word.
func ip(t *testing.T, line string) string {
	t.Helper()
	var args []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			args = append(args, part)
		} else {
			args = append(args, strings.Fields(part)...)
		}
	}
	return nstest.Run(t, "ip", args...)
}

// volatile matches the differences between two observations of the same state: lifetimes run down, and duplicate
// address detection finishes.
var volatile = regexp.MustCompile(`"(valid_life_time|preferred_life_time|expires)":\d+,?|"tentative":true,?`)

// settled matches the IPv6 routes that the kernel derives from an address after duplicate address detection, a second
// later.
var settled = regexp.MustCompile(`\{[^{}]*"type":"local"[^{}]*\},?`)

// multicast matches the IPv6 route that the kernel adds with a carrier. On an older kernel, an attachment without
// IFF_NO_CARRIER also adds it, and it stays.
var multicast = regexp.MustCompile(`\{[^{}]*"dst":"ff00::/8"[^{}]*\},?\n?`)

func withoutMulticast(routes string) string {
	return strings.ReplaceAll(multicast.ReplaceAllString(routes, ""), "},]", "}]")
}

// withoutCarrier reports whether the driver knows IFF_NO_CARRIER.
func withoutCarrier(t *testing.T, ns *Namespace) bool {
	t.Helper()
	quiet, err := ns.canAttachWithoutCarrier()
	if err != nil {
		t.Fatal(err)
	}
	return quiet
}

// witness returns everything that ip(8) prints about links, addresses, routes and rules.
func witness(t *testing.T) string {
	t.Helper()
	nstest.Settle(t)
	ns, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	noCarrier := withoutCarrier(t, ns)
	all := ""
	for _, line := range []string{"-d -j link", "-d -j addr", "-d -j -4 route show table all",
		"-d -j -6 route show table all", "-j rule"} {
		out := ip(t, line)
		if strings.Contains(line, "-6") {
			out = strings.ReplaceAll(settled.ReplaceAllString(out, ""), "},]", "}]")
			if !noCarrier {
				out = withoutMulticast(out)
			}
		}
		out = strings.ReplaceAll(out, "},{\"ifindex\"", "},\n{\"ifindex\"")
		all += volatile.ReplaceAllString(strings.ReplaceAll(out, "},{\"", "},\n{\""), "") + "\n"
	}
	return all
}

func same(t *testing.T, before, after string) {
	t.Helper()
	if before == after {
		return
	}
	b, a := strings.Split(before, "\n"), strings.Split(after, "\n")
	for _, line := range b {
		if !slices.Contains(a, line) {
			t.Errorf("was: %s", line)
		}
	}
	for _, line := range a {
		if !slices.Contains(b, line) {
			t.Errorf("is:  %s", line)
		}
	}
	if !t.Failed() {
		t.Errorf("another order:\n%s\n%s", before, after)
	}
}

// run makes one change and returns its result; log may be nil.
func run(t *testing.T, ns *Namespace, c Change, log func(Step)) Result {
	t.Helper()
	results, err := ns.Run(context.Background(), []Change{c}, Options{Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return results[0]
}

func add(t *testing.T, ns *Namespace, s Spec) {
	t.Helper()
	if s.Access == nil {
		s.Access = users.Root()
	}
	if err := s.CheckNew(); err != nil {
		t.Fatal(err)
	}
	if r := run(t, ns, Change{Name: s.Name, Want: &s}, nil); r.Err != nil {
		t.Fatal(r.Err)
	}
}

// wantError checks the cause and the errno of a result, and that its undo succeeded.
func wantError(t *testing.T, r Result, reason cause.Cause, errno error) {
	t.Helper()
	e := new(cause.Error)
	if !errors.As(r.Err, &e) || e.Cause != reason {
		t.Errorf("got error %v (cause %d), want cause %d", r.Err, e.Cause, reason)
	}
	if errno != nil && !errors.Is(r.Err, errno) {
		t.Errorf("got %v, want %v", r.Err, errno)
	}
	if r.UndoErr != nil {
		t.Errorf("undo: %v", r.UndoErr)
	}
}

// taken returns a route that the kernel refuses because another device has it, which the plan does not see.
func taken(t *testing.T) string {
	t.Helper()
	const to = "10.201.0.0/16"
	ip(t, "link set lo up")
	ip(t, "route add "+to+" dev lo")
	return to
}

// after calls do once, after the first step of that kind. It simulates another program that changes something in
// between.
func after(kind StepKind, do func()) func(Step) {
	done := false
	return func(s Step) {
		if s.Kind == kind && !done {
			done = true
			do()
		}
	}
}

// hold attaches to a device until the test ends.
func hold(t *testing.T, name string, flags uint16) *os.File {
	t.Helper()
	f, err := nstest.Attach(name, flags)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// failing are adds of which one step fails.
var failing = []struct {
	name  string
	spec  Spec
	setup string // a line of ip(8)
	then  string // ip(8) lines to run after the create step
	cause cause.Cause
	errno error
}{
	{"create: the kernel refuses the MAC", Spec{Mode: link.TAP, Link: Link{MAC: link.MAC{1, 0, 0, 0, 0, 1}}}, "",
		"", cause.Unknown, unix.EADDRNOTAVAIL},
	{"link: an alias that is too long", Spec{Mode: link.TUN,
		Link: Link{Alias: on(strings.Repeat("x", 300)), MTU: on(1400)}}, "", "", cause.Unknown, unix.ERANGE},
	{"address: IPv6 is off", Spec{Mode: link.TUN, Link: Link{Up: on(true)},
		Addresses: addresses("10.0.0.1/24", "fd00::1/64")}, "sysctl", "", cause.IPv6Off, unix.EACCES},
	{"route: the gateway is a broadcast address",
		Spec{Mode: link.TUN, Link: Link{Up: on(true)}, Addresses: addresses("10.0.0.1/24"),
			Routes: routes("10.1.0.0/16", "10.2.0.0/16 via 10.0.0.255")}, "", "", cause.NoGateway, unix.EINVAL},
	{"route: another device has it", Spec{Mode: link.TUN, Link: Link{Up: on(true)}, Routes: routes("10.3.0.0/16")},
		"route add 10.3.0.0/16 dev lo", "", cause.RouteTaken, unix.EEXIST},
	{"master: it is not there", Spec{Mode: link.TAP, Master: &Master{Name: "nobr"}}, "", "", cause.NoMaster,
		unix.ENODEV},
	{"master: it takes no ports", Spec{Mode: link.TAP, Link: Link{Up: on(true)}, Master: &Master{Name: "v0"}},
		"link add v0 type veth", "", cause.NoPort, unix.EOPNOTSUPP},
	{"master: a tun", Spec{Mode: link.TUN, Master: &Master{Name: "br0"}}, "link add br0 type bridge", "",
		cause.TunInBridge, nil},
	{"hold: the bridge is deleted during the run", Spec{Mode: link.TAP, Master: &Master{Name: "br0"}},
		"link add br0 type bridge", "link del br0", cause.NoMaster, unix.ENODEV},
	{"master: the bridge is deleted during the run", Spec{Mode: link.TAP, Master: &Master{Name: "br0"}},
		"link add br0 type bridge; tuntap add dev p0 mode tap; link set p0 master br0", "link del br0",
		cause.NoMaster, nil},
}

// TestAddIsAllOrNothing makes each kind of step of an add the one that fails. The created device must be gone, and
// everything else unchanged.
func TestAddIsAllOrNothing(t *testing.T) {
	for _, c := range failing {
		t.Run(c.name, func(t *testing.T) {
			ns := open(t)
			ip(t, "link set lo up")
			if c.setup == "sysctl" {
				if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0); err != nil {
					t.Fatal(err)
				}
			} else if c.setup != "" {
				for line := range strings.SplitSeq(c.setup, ";") {
					ip(t, line)
				}
			}
			var log func(Step)
			if c.then != "" {
				log = after(StepCreate, func() { ip(t, c.then) })
			}
			before := witness(t)
			c.spec.Name, c.spec.Access = "x7", users.Root()
			r := run(t, ns, Change{Name: "x7", Want: &c.spec}, log)
			wantError(t, r, c.cause, c.errno)
			if c.cause == cause.RouteTaken && !strings.Contains(r.Err.Error(), "lo has it") {
				t.Errorf("got %v, want the device that has it", r.Err)
			}
			if c.then == "" {
				same(t, before, witness(t))
			} else if out := ip(t, "-br link"); strings.Contains(out, "x7") {
				t.Errorf("left behind: %s", out)
			}
		})
	}
}

// busyDevice has everything that the kernel couples: secondary addresses, and routes with other gateways, sources and
// protocols, through this device and others.
func busyDevice(t *testing.T, ns *Namespace) {
	t.Helper()
	ip(t, "link set lo up")
	ip(t, "link add v0 type veth peer name v1")
	ip(t, "link set v0 up")
	ip(t, "link set v1 up")
	deadline := time.Now().Add(nstest.Patience(10 * time.Second))
	for !strings.Contains(ip(t, "-br link show v0"), " UP ") {
		if time.Now().After(deadline) {
			t.Fatal("the veth does not come up")
		}
	}
	add(t, ns, Spec{Name: "tap7", Mode: link.TAP, Link: Link{MTU: on(1400), Up: on(true), Alias: on("mine")}})
	for _, line := range []string{
		"addr add 10.0.0.1/24 dev tap7 label tap7:one", "addr add 10.0.0.2/24 dev tap7",
		"addr add 10.5.0.1/24 dev tap7 valid_lft 5000 preferred_lft 4000",
		"addr add 10.0.0.3/24 dev tap7", "addr add fd00::1/64 dev tap7 nodad", "addr add fd00:5::1/64 dev tap7 nodad",
		"route add 10.1.0.0/16 via 10.0.0.9 dev tap7 metric 5", "route add 10.2.0.0/16 dev tap7 src 10.0.0.2",
		"route add 10.3.0.0/16 dev tap7 proto bird metric 77 mtu 1300 table 99",
		"route add 10.4.0.0/16 dev v0 src 10.0.0.1 proto zebra",
		"-6 route add fd01::/48 via fd00::9 dev tap7", "-6 route add fd02::/48 dev tap7 proto bird metric 9",
		"route add 10.6.0.0/16 nexthop via 10.0.0.8 dev tap7 nexthop via 10.0.0.9 dev tap7",
		"route add 10.9.0.0/16 dev v0",
	} {
		ip(t, line)
	}
}

// TestSetPutsBack makes late steps of a set fail on a device with all properties. ip(8) compares.
func TestSetPutsBack(t *testing.T) {
	taken := func(t *testing.T) func(Step) { // a program attaches before the owner can be changed
		return after(StepLink, func() { hold(t, "tap7", unix.IFF_TAP|unix.IFF_NO_PI|unix.IFF_NO_CARRIER) })
	}
	newOwner := &users.Access{User: &users.ID{Number: 0}, Group: &users.ID{Number: 0}}
	for _, c := range []struct {
		name  string
		want  Spec
		log   func(*testing.T) func(Step)
		cause cause.Cause
	}{
		{"link: of several properties one is refused",
			Spec{Link: Link{MTU: on(1300), TxQueueLen: on(7), MAC: link.MAC{1, 0, 0, 0, 0, 1}}}, nil, cause.Unknown},
		{"access, after the primary address was removed",
			Spec{Link: Link{TxQueueLen: on(7)}, RemoveAddresses: *addresses("10.0.0.1/24"), Access: newOwner}, taken,
			cause.InUse},
		{"access, after the broadcast address changed",
			Spec{Link: Link{TxQueueLen: on(7)}, RemoveAddresses: *addresses("10.0.0.1/24"),
				AddAddresses: *addresses("10.0.0.1/24 broadcast 10.0.0.9"), Access: newOwner}, taken, cause.InUse},
		{"access, after all addresses and routes were removed",
			Spec{Link: Link{TxQueueLen: on(7)}, Addresses: addresses(), Routes: routes(), Access: newOwner}, taken,
			cause.InUse},
		{"access, after others came in their place",
			Spec{Link: Link{TxQueueLen: on(7)}, Addresses: addresses("10.7.0.1/24", "fd07::1/64"),
				Routes: routes("10.8.0.0/16"), Access: newOwner}, taken, cause.InUse},
		{"access, after the device went down", Spec{Link: Link{TxQueueLen: on(7), Up: on(false)}, Access: newOwner},
			taken, cause.InUse},
		{"route: another device has it", Spec{Link: Link{TxQueueLen: on(7)}, Addresses: addresses("10.0.0.7/24"),
			Routes: routes("10.9.0.0/16")}, nil, cause.RouteTaken},
		{"master: it takes no ports", Spec{Link: Link{TxQueueLen: on(7), MTU: on(1350)}, Master: &Master{Name: "v0"}},
			nil, cause.NoPort},
		{"the kernel does not keep it", Spec{AddAddresses: *addresses("10.7.0.1/24")}, func(t *testing.T) func(Step) {
			return func(s Step) {
				if s.Kind == StepAddAddress && s.address.Local.String() == "10.7.0.1" {
					ip(t, "addr del 10.7.0.1/24 dev tap7")
				}
			}
		}, cause.NotKept},
	} {
		t.Run(c.name, func(t *testing.T) {
			ns := open(t)
			if c.cause == cause.InUse && !withoutCarrier(t, ns) {
				nstest.Skip(t, "needs IFF_NO_CARRIER (Linux 6.1): the test's own attachment adds a link-local address")
			}
			busyDevice(t, ns)
			before := witness(t)
			var log func(Step)
			if c.log != nil {
				log = c.log(t)
			}
			wantError(t, run(t, ns, Change{Name: "tap7", Want: &c.want, Expect: Present}, log), c.cause, nil)
			same(t, before, witness(t))
		})
	}
}

// TestThePlanIsWhatRuns compares the steps of a dry run with those that run.
func TestThePlanIsWhatRuns(t *testing.T) {
	for _, want := range []Spec{
		{RemoveAddresses: *addresses("10.0.0.1/24")},
		{Addresses: addresses("10.0.0.7/24", "fd00::1/64"), Link: Link{MTU: on(1300)}},
		{Addresses: addresses("10.77.0.1/24"), Routes: routes("10.8.0.0/16")},
		{Addresses: addresses("10.0.0.2/24"), Routes: routes()},
		{RemoveAddresses: *addresses("10.0.0.3/24", "fd00::1/64"), AddRoutes: *routes("10.8.0.0/16 via 10.0.0.9")},
	} {
		ns := open(t)
		busyDevice(t, ns)
		before := witness(t)
		change := []Change{{Name: "tap7", Want: &want, Expect: Present}}
		plan, err := ns.Run(context.Background(), change, Options{DryRun: true})
		if err != nil {
			t.Fatal(err)
		}
		same(t, before, witness(t))
		done := run(t, ns, change[0], nil)
		if done.Err != nil {
			t.Error(done.Err)
		}
		if got, want := fmt.Sprint(done.Steps), fmt.Sprint(plan[0].Steps); got != want {
			t.Errorf("planned %s\ndone    %s", want, got)
		}
	}
}

// TestAnIPv6SourceOutlivesItsPrefix changes the prefix length of an address that is the source of a route, in a change
// and in an undo.
func TestAnIPv6SourceOutlivesItsPrefix(t *testing.T) {
	for _, fails := range []bool{false, true} {
		ns := open(t)
		add(t, ns, Spec{Name: "tun7", Mode: link.TUN, Link: Link{Up: on(true)}, Addresses: addresses("fd00::1/64")})
		deadline := time.Now().Add(nstest.Patience(10 * time.Second))
		for ip(t, "-6 -br addr show dev tun7 tentative") != "" {
			if time.Now().After(deadline) {
				t.Fatal("the address does not settle")
			}
		}
		ip(t, "-6 route add fd01::/48 dev tun7 src fd00::1")
		other := taken(t)
		before := witness(t)
		want := &Spec{Addresses: addresses("fd00::1/48")}
		if fails {
			want.Addresses = addresses("fd00::1/48", "10.0.0.1/24")
			want.AddRoutes = *routes(other)
		}
		r := run(t, ns, Change{Name: "tun7", Want: want, Expect: Present}, nil)
		if fails {
			wantError(t, r, cause.RouteTaken, nil)
			same(t, before, witness(t))
		} else if got := ip(t, "-6 route show dev tun7"); r.Err != nil ||
			!strings.Contains(got, "fd01::/48 src fd00::1") || !strings.Contains(got, "fd00::/48") {
			t.Errorf("got %v: %s", r.Err, got)
		}
	}
}

// TestUndoBelowTheMTUOfIPv6 restores an MTU below the minimum of IPv6, from one above it.
func TestUndoBelowTheMTUOfIPv6(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "tun7", Mode: link.TUN, Link: Link{MTU: on(1000), Up: on(true)},
		Addresses: addresses("10.0.0.1/24")})
	want := &Spec{Link: Link{MTU: on(1400)}, AddAddresses: *addresses("fd00::1/64"),
		AddRoutes: *routes("fd01::/48", taken(t))}
	before := witness(t)
	wantError(t, run(t, ns, Change{Name: "tun7", Want: want, Expect: Present}, nil), cause.RouteTaken, nil)
	same(t, before, witness(t))
}

// TestSetKeepsTheRest removes properties on which others depend. The change succeeds, and properties that were not
// named still exist.
func TestSetKeepsTheRest(t *testing.T) {
	ns := open(t)
	busyDevice(t, ns)
	r := run(t, ns, Change{Name: "tap7", Want: &Spec{RemoveAddresses: *addresses("10.0.0.1/24")}, Expect: Present}, nil)
	if r.Err != nil {
		t.Fatal(r.Err)
	}
	got := ip(t, "-br addr show dev tap7") + ip(t, "route show table all") + ip(t, "-6 route")
	for _, want := range []string{"10.0.0.2/24", "10.0.0.3/24", "10.5.0.1/24", "fd00::1/64", "10.2.0.0/16",
		"10.3.0.0/16", "10.1.0.0/16", "10.6.0.0/16", "fd01::/48", "fd02::/48"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is lost:\n%s", want, got)
		}
	}
	if strings.Contains(got, "10.0.0.1/24") || strings.Contains(got, "10.4.0.0/16") {
		t.Errorf("what was asked to go, or cannot be without it, is there:\n%s", got)
	}
}

// TestStepsWithoutTheRight makes every kind of step the one that fails, by dropping CAP_NET_ADMIN from the thread.
func TestStepsWithoutTheRight(t *testing.T) {
	for _, c := range []struct {
		kind StepKind
		want *Spec
	}{
		{StepLink, &Spec{Link: Link{MTU: on(1300)}}},
		{StepAddAddress, &Spec{AddAddresses: *addresses("10.7.0.1/24")}},
		{StepRemoveAddress, &Spec{RemoveAddresses: *addresses("10.0.0.3/24")}},
		{StepAddRoute, &Spec{AddRoutes: *routes("10.8.0.0/16")}},
		{StepRemoveRoute, &Spec{RemoveRoutes: *routes("10.1.0.0/16 via 10.0.0.9 metric 5")}},
		{StepMaster, &Spec{Master: &Master{Name: "br1"}}},
		{StepHold, &Spec{Master: &Master{Name: "br0"}, Link: Link{MTU: on(1400), MAC: nil}}},
		{StepAccess, &Spec{Access: &users.Access{User: &users.ID{Number: 2}, Group: &users.ID{Number: 2}}}},
		{StepDelete, nil},
		{StepCreate, &Spec{Name: "new7", Mode: link.TUN, Access: users.Root()}},
	} {
		t.Run(string(c.kind), func(t *testing.T) {
			ns := open(t)
			busyDevice(t, ns)
			ip(t, "link add br0 type bridge")
			ip(t, "link add br1 type bridge")
			ip(t, "link set v1 master br1")
			name, expect := "tap7", Present
			switch c.kind {
			case StepCreate:
				name, expect = "new7", Absent
			case StepAccess, StepDelete: // root is the owner, who needs no capability for these
				ownedByOther(t, "tap7")
			}
			before := witness(t)
			dropNetAdmin(t)
			r := run(t, ns, Change{Name: name, Want: c.want, Expect: expect}, nil)
			if !errors.Is(r.Err, unix.EPERM) || r.UndoErr != nil {
				t.Errorf("got %v, undo %v; want EPERM", r.Err, r.UndoErr)
			}
			same(t, before, witness(t))
		})
	}
}

// ownedByOther gives the device to UID 1 and GID 1, so root without the capability has no access.
func ownedByOther(t *testing.T, name string) {
	t.Helper()
	nstest.NeedReal(t)
	f := hold(t, name, unix.IFF_TAP|unix.IFF_NO_PI|unix.IFF_NO_CARRIER)
	for _, request := range []uint{unix.TUNSETOWNER, unix.TUNSETGROUP} {
		if err := unix.IoctlSetInt(int(f.Fd()), request, 1); err != nil {
			t.Fatal(err)
		}
	}
	f.Close()
}

// dropNetAdmin drops CAP_NET_ADMIN from the thread permanently. Programs that it starts as root regain it.
func dropNetAdmin(t *testing.T) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	data[0].Effective &^= 1 << unix.CAP_NET_ADMIN
	if err := unix.Capset(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
}

func TestDeleteTouchesNothingElse(t *testing.T) {
	ns := open(t)
	ip(t, "link add v0 type veth peer name v1")
	ip(t, "link set v0 group 77")
	for i := range 5 {
		add(t, ns, Spec{Name: fmt.Sprintf("t%d", i), Mode: link.TUN, MultiQueue: on(i == 4)})
	}
	hold(t, "t1", unix.IFF_TUN|unix.IFF_NO_PI)
	hold(t, "t4", unix.IFF_TUN|unix.IFF_NO_PI|unix.IFF_MULTI_QUEUE)
	before := witness(t)
	var changes []Change
	for _, name := range []string{"t0", "t1", "t2", "t4", "v0", "none"} {
		changes = append(changes, Change{Name: name, Expect: Present})
	}
	results, err := ns.Run(context.Background(), changes, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []cause.Cause{0, cause.InUse, 0, cause.InUse, cause.OtherKind, cause.NoDevice} {
		e := new(cause.Error)
		if errors.As(results[i].Err, &e); e.Cause != want || (results[i].Err == nil) != (want == 0) {
			t.Errorf("%s: got %v, want cause %d", results[i].Name, results[i].Err, want)
		}
	}
	var left []string
	for _, line := range strings.Split(before, "\n") {
		if !strings.Contains(line, `"t0"`) && !strings.Contains(line, `"t2"`) {
			left = append(left, line)
		}
	}
	for _, line := range strings.Split(witness(t), "\n") {
		if !slices.Contains(left, strings.TrimPrefix(line, "[")) && !slices.Contains(left, line) {
			t.Errorf("changed or new: %s", line)
		}
	}
	for _, r := range []Change{{Name: "t1", Expect: Present, Force: true}, {Name: "t4", Expect: Present, Force: true}} {
		if r := run(t, ns, r, nil); r.Err != nil {
			t.Errorf("with force: %v", r.Err)
		}
	}
}

// TestAProgramThatAttachesBetweenSavesItsDevice attaches to one of many devices after the observation.
func TestAProgramThatAttachesBetweenSavesItsDevice(t *testing.T) {
	for _, multiQueue := range []bool{false, true} {
		ns := open(t)
		flags := uint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if multiQueue {
			flags |= unix.IFF_MULTI_QUEUE
		}
		for _, name := range []string{"a1", "b1", "b2", "b3"} {
			add(t, ns, Spec{Name: name, Mode: link.TUN, MultiQueue: &multiQueue})
		}
		ip(t, "link set b2 group 5")
		changes := []Change{{Name: "a1", Want: &Spec{Link: Link{MTU: on(1400)}}, Expect: Present}}
		for _, name := range []string{"b1", "b2", "b3"} {
			changes = append(changes, Change{Name: name, Expect: Present})
		}
		results, err := ns.Run(context.Background(), changes,
			Options{Log: after(StepLink, func() { hold(t, "b2", flags) })})
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, results[2], cause.InUse, unix.EBUSY)
		if results[1].Err != nil || results[3].Err != nil {
			t.Errorf("the others: %v, %v", results[1].Err, results[3].Err)
		}
		got := ip(t, "-br link show type tun") + ip(t, "link show b2")
		if strings.Contains(got, "b1") || strings.Contains(got, "b3") || !strings.Contains(got, "b2") ||
			!strings.Contains(got, "group 5") {
			t.Errorf("multi-queue %v: got %s", multiQueue, got)
		}
	}
}

// TestDeleteNeverTakesANamesake re-creates the device with its name after the observation.
func TestDeleteNeverTakesANamesake(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "a1", Mode: link.TUN})
	add(t, ns, Spec{Name: "b1", Mode: link.TUN})
	changes := []Change{{Name: "a1", Want: &Spec{Link: Link{MTU: on(1400)}}, Expect: Present},
		{Name: "b1", Expect: Present}}
	results, err := ns.Run(context.Background(), changes, Options{Log: after(StepLink, func() {
		ip(t, "link del b1")
		ip(t, "tuntap add dev b1 mode tun")
	})})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, results[1], cause.NoDevice, nil)
	if out := ip(t, "-br link show type tun"); !strings.Contains(out, "b1") {
		t.Errorf("the namesake is gone: %s", out)
	}
}

// TestARenamedDeviceIsTheSameDevice renames the device during a change, and creates another with its old name.
func TestARenamedDeviceIsTheSameDevice(t *testing.T) {
	for _, fails := range []bool{false, true} {
		ns := open(t)
		add(t, ns, Spec{Name: "x7", Mode: link.TUN, Link: Link{Alias: on("ours")}})
		want := &Spec{Link: Link{TxQueueLen: on(7)}, AddAddresses: *addresses("10.0.0.1/24")}
		if fails {
			want.Up, want.AddRoutes = on(true), *routes(taken(t))
		}
		r := run(t, ns, Change{Name: "x7", Want: want, Expect: Present}, after(StepLink, func() {
			rename(t, "x7", "old7")
			ip(t, "tuntap add dev x7 mode tap")
		}))
		if (r.Err != nil) != fails || r.UndoErr != nil {
			t.Errorf("got %v, undo %v", r.Err, r.UndoErr)
		}
		if got := ip(t, "addr show x7"); strings.Contains(got, "10.0.0.1") || strings.Contains(got, "qlen 7 ") {
			t.Errorf("the namesake was touched: %s", got)
		}
		if got := ip(t, "addr show old7"); strings.Contains(got, "10.0.0.1/24") == fails ||
			strings.Contains(got, "UP") {
			t.Errorf("fails %v: the device is %s", fails, got)
		}
	}
}

// rename renames a device. Before Linux 6.2, a device must be down to be renamed.
func rename(t *testing.T, name, to string) {
	t.Helper()
	if exec.Command("ip", "link", "set", name, "name", to).Run() == nil {
		return
	}
	ip(t, "link set "+name+" down")
	ip(t, "link set "+name+" name "+to)
	ip(t, "link set "+to+" up")
}

// TestUndoLeavesWhatOthersDid configures the device by another program while a change of it fails.
func TestUndoLeavesWhatOthersDid(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "tun7", Mode: link.TUN, Link: Link{Up: on(true)}, Addresses: addresses("10.0.0.1/24")})
	want := &Spec{Link: Link{TxQueueLen: on(7)}, RemoveAddresses: *addresses("10.0.0.1/24"),
		AddAddresses: *addresses("10.6.0.1/24"), AddRoutes: *routes(taken(t))}
	r := run(t, ns, Change{Name: "tun7", Want: want, Expect: Present}, after(StepLink, func() {
		ip(t, "addr add 10.5.0.1/24 dev tun7")
		ip(t, "route add 10.55.0.0/16 dev tun7")
		ip(t, "link set tun7 alias theirs")
	}))
	wantError(t, r, cause.RouteTaken, nil)
	got := ip(t, "addr show tun7") + ip(t, "link show tun7") + ip(t, "route")
	for _, s := range []string{"10.0.0.1/24", "10.5.0.1/24", "10.55.0.0/16", "theirs", "qlen 500"} {
		if !strings.Contains(got, s) {
			t.Errorf("%s is lost: %s", s, got)
		}
	}
	if strings.Contains(got, "10.6.0.1") {
		t.Errorf("what was added is still there: %s", got)
	}
}

// TestAClaimNeverMakesADevice claims a device that does not exist, and one whose name another device has.
func TestAClaimNeverMakesADevice(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "real7", Mode: link.TUN})
	for _, name := range []string{"ghost7", "real7"} {
		d := &Device{Name: name, Mode: link.TUN, Index: 99}
		fd, err := ns.claim(d, 0)
		e := new(cause.Error)
		if !errors.As(err, &e) || e.Cause != cause.NoDevice {
			t.Errorf("%s: got descriptor %d, %v; want no such device", d.Name, fd, err)
		}
	}
	if out := ip(t, "-br link show type tun"); strings.Contains(out, "ghost7") {
		t.Errorf("made: %s", out)
	}
}

// TestTheLastLookBeforeAGroupIsDeleted attaches to a multi-queue device that is already claimed.
func TestTheLastLookBeforeAGroupIsDeleted(t *testing.T) {
	ns := open(t)
	var devices []*doomed
	for _, name := range []string{"q1", "q2", "q3"} {
		add(t, ns, Spec{Name: name, Mode: link.TUN, MultiQueue: on(true)})
		ip(t, "link set "+name+" group 5")
		d, err := ns.observe([]target{{name: name}}, shallow, nil, false)
		if err != nil {
			t.Fatal(err)
		}
		fd, err := ns.claimUnused(d[0])
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		devices = append(devices, &doomed{Device: d[0], fd: fd})
	}
	hold(t, "q2", unix.IFF_TUN|unix.IFF_NO_PI|unix.IFF_MULTI_QUEUE)
	ns.deleteClaimed(devices)
	if cause.Of(devices[1].err) != cause.InUse || devices[0].err != nil ||
		devices[2].err != nil {
		t.Errorf("got %v, %v, %v", devices[0].err, devices[1].err, devices[2].err)
	}
	if got := ip(t, "link show type tun"); strings.Contains(got, "q1") || strings.Contains(got, "q3") ||
		!strings.Contains(got, "q2") || !strings.Contains(got, "group 5") {
		t.Errorf("got %s", got)
	}
}

// TestAPacketFilterThatWasLeftBehind claims a tap that kept the filter of a program with packet information.
func TestAPacketFilterThatWasLeftBehind(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "tap7", Mode: link.TAP, PI: true})
	f := hold(t, "tap7", unix.IFF_TAP)
	pass := []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff}}
	program := unix.SockFprog{Len: 1, Filter: &pass[0]}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), unix.TUNATTACHFILTER,
		uintptr(unsafe.Pointer(&program))); errno != 0 {
		t.Fatal(errno)
	}
	f.Close()
	if r := run(t, ns, Change{Name: "tap7", Expect: Present}, nil); r.Err != nil {
		t.Error(r.Err)
	}
}

// TestOneDeviceByTwoNames names a device by its name and by an alternative name.
func TestOneDeviceByTwoNames(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "tun7", Mode: link.TUN})
	ip(t, "link property add dev tun7 altname seven")
	results, err := ns.Run(context.Background(),
		[]Change{{Name: "tun7", Expect: Present}, {Name: "seven", Expect: Present}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, results[1], cause.BadRequest, nil)
	if results[0].Err != nil {
		t.Error(results[0].Err)
	}
}

// TestOlderKernels runs without the optional features: attaching without a carrier, and the number of queues.
func TestOlderKernels(t *testing.T) {
	nstest.NeedReal(t)
	ns := open(t)
	ns.features = 0
	add(t, ns, Spec{Name: "up7", Mode: link.TAP, Link: Link{Up: on(true)}, Addresses: addresses("10.0.0.1/24")})
	add(t, ns, Spec{Name: "down7", Mode: link.TUN})
	if r := run(t, ns,
		Change{Name: "up7", Want: &Spec{Access: &users.Access{User: &users.ID{Number: 71001}}}, Expect: Present},
		nil); r.Err != nil {
		t.Error(r.Err)
	}
	if out := ip(t, "-d -o link show up7") + ip(t, "-o -4 addr show up7"); !strings.Contains(out, "user 71001") ||
		!strings.Contains(out, "10.0.0.1/24") {
		t.Errorf("got %s", out)
	}
	up, down := hold(t, "up7", unix.IFF_TAP|unix.IFF_NO_PI), hold(t, "down7", unix.IFF_TUN|unix.IFF_NO_PI)
	for _, name := range []string{"up7", "down7"} {
		if d, err := ns.Devices(name); err != nil || !d[0].InUse() {
			t.Errorf("got %+v, %v; want it in use", d[0], err)
		}
		wantError(t, run(t, ns, Change{Name: name, Expect: Present}, nil), cause.InUse, unix.EBUSY)
	}
	up.Close()
	down.Close()
	for _, name := range []string{"up7", "down7"} {
		if r := run(t, ns, Change{Name: name, Expect: Present}, nil); r.Err != nil {
			t.Error(r.Err)
		}
	}
}

// TestANamesakeIsNeverChanged deletes the device during a change, and creates another with its name.
func TestANamesakeIsNeverChanged(t *testing.T) {
	swap := func(t *testing.T) func() {
		return func() {
			ip(t, "link del x7")
			ip(t, "tuntap add dev x7 mode tun user 0")
			ip(t, "link set x7 alias theirs")
		}
	}
	for _, c := range []struct {
		name   string
		expect Expect
		kind   StepKind
	}{{"add", Absent, StepCreate}, {"set", Present, StepLink}} {
		t.Run(c.name, func(t *testing.T) {
			ns := open(t)
			if c.expect == Present {
				add(t, ns, Spec{Name: "x7", Mode: link.TUN})
			}
			want := &Spec{Name: "x7", Mode: link.TUN, Access: users.Root(), Link: Link{MTU: on(1400)},
				AddAddresses: *addresses("10.0.0.1/24")}
			r := run(t, ns, Change{Name: "x7", Want: want, Expect: c.expect}, after(c.kind, swap(t)))
			e := new(cause.Error)
			if !errors.As(r.Err, &e) || e.Cause != cause.NoDevice {
				t.Errorf("got %v, want that it is gone", r.Err)
			}
			if got := ip(t, "link show x7") + ip(t, "addr show x7"); !strings.Contains(got, "theirs") ||
				strings.Contains(got, "1400") || strings.Contains(got, "10.0.0.1") {
				t.Errorf("the namesake was touched: %s", got)
			}
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	ns := open(t)
	const n = 300
	changes := make([]Change, n)
	for i := range changes {
		name := fmt.Sprintf("t%d", i)
		changes[i] = Change{Name: name, Want: &Spec{Name: name, Mode: link.TUN, Access: users.Root(),
			Link:      Link{MTU: on(1400), Up: on(true)},
			Addresses: addresses(fmt.Sprintf("10.0.%d.%d/32", i/250, i%250+1))}}
	}
	changes[150].Want.Addresses = addresses("10.200.0.1/24")
	changes[150].Want.Routes = routes(taken(t)) // this change fails
	results, err := ns.Run(context.Background(), changes, Options{})
	if err != nil {
		t.Fatal(err)
	}
	failed := 0
	for i, r := range results {
		if r.Err != nil {
			failed++
			if i != 150 {
				t.Errorf("%s: %v", r.Name, r.Err)
			}
		}
	}
	if got := strings.Count(ip(t, "-br addr show type tun up"), "10.0."); got != n-1 || failed != 1 {
		t.Errorf("got %d devices and %d failures, want %d and 1", got, failed, n-1)
	}
	for i := range changes {
		changes[i] = Change{Name: changes[i].Name, Expect: PresentOrNot}
	}
	if results, err = ns.Run(context.Background(), changes, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}
	if out := ip(t, "-br link show type tun"); out != "" {
		t.Errorf("left: %s", out)
	}
}

func TestASignalLeavesNoUnfinishedDevice(t *testing.T) {
	ns := open(t)
	ctx, cancel := context.WithCancel(context.Background())
	var changes []Change
	for i := range 20 {
		name := fmt.Sprintf("t%d", i)
		changes = append(changes, Change{Name: name,
			Want: &Spec{Name: name, Mode: link.TUN, Access: users.Root(), Link: Link{MTU: on(1400)}}})
	}
	n := 0
	results, err := ns.Run(ctx, changes, Options{Log: func(s Step) {
		if n++; n == 10 {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		wantError(t, r, cause.Interrupted, nil)
	}
	if out := ip(t, "-br link show type tun"); out != "" {
		t.Errorf("left: %s", out)
	}
}

// TestAccessChangesNothingElse changes the owner of a device that is up, and compares its flags, carrier and addresses.
// On older kernels the carrier must not leave an address.
func TestAccessChangesNothingElse(t *testing.T) {
	nstest.NeedReal(t)
	for _, c := range []struct {
		mode link.Mode
		old  bool
	}{{link.TUN, false}, {link.TAP, false}, {link.TUN, true}, {link.TAP, true}} {
		mode, ns := c.mode, open(t)
		if c.old {
			ns.features = 0
		}
		ip(t, "tuntap add dev x7 mode "+mode.String()+" user 71000 pi vnet_hdr one_queue")
		ip(t, "link set x7 up")
		ip(t, "addr add 10.0.0.1/24 dev x7")
		before := witness(t) + ip(t, "tuntap show")
		r := run(t, ns,
			Change{Name: "x7", Want: &Spec{Access: &users.Access{User: &users.ID{Number: 71001}}}, Expect: Present},
			nil)
		if r.Err != nil {
			t.Fatal(r.Err)
		}
		now := witness(t) + ip(t, "tuntap show")
		if !strings.Contains(now, "user 71001") {
			t.Errorf("the owner is not changed: %s", now)
		}
		now = strings.ReplaceAll(now, "71001", "71000")
		if c.old {
			before, now = withoutMulticast(before), withoutMulticast(now)
		}
		same(t, before, now)
	}
}

// TestJoiningABridgeDoesNotChangeIt compares an empty bridge, and a bridge that already has a tap.
func TestJoiningABridgeDoesNotChangeIt(t *testing.T) {
	ns := open(t)
	ip(t, "link add br0 type bridge")
	look := func() string {
		links := strings.Split(ip(t, "-o link show br0"), "<")
		mac := regexp.MustCompile(`link/ether \S+`).FindString(links[1])
		return mac + regexp.MustCompile(`mtu \d+`).FindString(links[1])
	}
	before := look()
	for _, name := range []string{"tap1", "tap2"} {
		add(t, ns, Spec{Name: name, Mode: link.TAP, Link: Link{Up: on(true)}, Master: &Master{Name: "br0"}})
		if now := look(); now != before {
			t.Errorf("%s: the bridge was %s, is %s", name, before, now)
		}
	}
	ip(t, "link add br1 type bridge")
	ip(t, "link add v0 address fe:ff:ff:ff:ff:f0 type veth")
	ip(t, "link set v0 master br1")
	lowest := ip(t, "-br link show br1")
	add(t, ns, Spec{Name: "tap3", Mode: link.TAP, Master: &Master{Name: "br1"}})
	add(t, ns,
		Spec{Name: "tap4", Mode: link.TAP, Link: Link{MAC: link.MAC{2, 0, 0, 0, 0, 1}}, Master: &Master{Name: "br1"}})
	if now := ip(t, "-br link show br1"); now != lowest {
		t.Errorf("a bridge with a port was %s, is %s", lowest, now)
	}
	ip(t, "link add br2 type bridge stp_state 1")
	add(t, ns, Spec{Name: "tap5", Mode: link.TAP, Master: &Master{Name: "br2"}})
	if got := ip(t, "-d link show br2"); strings.Contains(got, "bridge_id 8000.0:0:0:0:0:0") {
		t.Errorf("the bridge has no identifier of its own: %s", got)
	}
	if r := run(t, ns, Change{Name: "tap3", Want: &Spec{Master: &Master{Name: "br2"}}, Expect: Present},
		nil); r.Err != nil {
		t.Error(r.Err)
	}
	ip(t, "link add br3 type bridge")
	ip(t, "tuntap add dev tap6 mode tap")
	ip(t, "link set tap6 master br3")
	ip(t, "link del tap6") // leaves the bridge with the MAC address zero
	add(t, ns, Spec{Name: "tap7", Mode: link.TAP, Master: &Master{Name: "br3"}})
	if got := ip(t, "link show br3"); strings.Contains(got, "00:00:00:00:00:00") {
		t.Errorf("the bridge is left without an address: %s", got)
	}
	for _, name := range []string{"tap1", "tap2"} {
		if r := run(t, ns, Change{Name: name, Expect: Present}, nil); r.Err != nil {
			t.Error(r.Err)
		}
		if now := look(); now != before {
			t.Errorf("without %s: the bridge was %s, is %s", name, before, now)
		}
	}
}

// events returns all link messages that arrived while do ran.
func events(t *testing.T, do func()) (seen []*Device) {
	t.Helper()
	monitor, err := rtnl.Subscribe(rtnl.AnnouncementsSize, unix.RTNLGRP_LINK)
	if err != nil {
		t.Fatal(err)
	}
	defer monitor.Close()
	do()
	for {
		fds := []unix.PollFd{{Fd: int32(monitor.FD()), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, 0); err != nil || n == 0 {
			return seen
		}
		if err := monitor.Receive(0, func(_ unix.NlMsghdr, body []byte) {
			if d := decodeLink(body); d != nil {
				seen = append(seen, d)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestAMultiQueueDeviceIsNeverOpenToOthers watches the names that appear during a creation: the final name must not
// appear before the device has its owner.
func TestAMultiQueueDeviceIsNeverOpenToOthers(t *testing.T) {
	ns := open(t)
	seen := 0
	for _, d := range events(t, func() {
		add(t, ns, Spec{Name: "q7", Mode: link.TUN, MultiQueue: on(true),
			Access: &users.Access{User: &users.ID{Number: 0}, Group: &users.ID{Number: 0}}})
	}) {
		if d.Name != "q7" {
			continue
		}
		if seen++; d.Access.User == nil || d.Access.Group == nil {
			t.Errorf("q7 was announced without its owner and group")
		}
	}
	if seen == 0 {
		t.Error("q7 was never announced")
	}
}
