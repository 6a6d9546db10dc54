package doctor

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/netcfg"
)

func TestMain(m *testing.M) {
	if os.Args[0] == holders.Examiner {
		_ = holders.Examine(os.Args[1:], os.Stdout)
		return
	}
	os.Exit(nstest.Main(m))
}

// crowd makes a host with some devices that something is wrong with, and many others with addresses and routes.
func crowd(t *testing.T) {
	t.Helper()
	for _, name := range []string{"tun8", "tun9"} { // programs with devices of their own
		f, err := nstest.Attach(name, unix.IFF_TUN|unix.IFF_NO_PI)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		quiet := "/proc/sys/net/ipv6/conf/" + name + "/disable_ipv6"
		if err := os.WriteFile(quiet, []byte("1"), 0); err != nil {
			t.Fatal(err)
		}
	}
	lines := []string{
		"link set lo up", "link add up0 type veth peer name p0", "link add up1 type veth peer name p1",
		"link add br0 type bridge",
		"tuntap add tun7 mode tun", "tuntap add tap7 mode tap", "tuntap add tap8 mode tap",
		"link set tap7 master br0", "link set tap8 master br0", "link set up1 master br0",
		"addr add 192.0.2.1/24 dev up0", "addr add 10.7.0.1/24 dev tun7", "addr add fd00:7::1/64 dev tun7 nodad",
		"addr add 10.9.0.1/24 dev tun9", "addr add 10.7.0.77/24 dev br0", "addr add 198.51.100.1/24 dev up1",
	}
	for _, name := range []string{"up0", "p0", "up1", "p1", "br0", "tun7", "tun9", "tap7", "tap8"} {
		lines = append(lines, "link set "+name+" up")
	}
	for i := range 40 {
		lines = append(lines, fmt.Sprintf("link add o%d type bridge", i), fmt.Sprintf("link set o%d up", i),
			fmt.Sprintf("addr add 10.20.%d.1/24 dev o%d", i, i))
	}
	lines = append(lines, "route add 10.9.0.128/26 via 192.0.2.9", "route add 10.8.0.0/16 dev tun9",
		"nexthop add id 5 dev tun9", "nexthop add id 6 via 192.0.2.8 dev up0", "nexthop add id 7 group 5/6",
		"route add 10.88.0.0/16 nhid 7",
		"route add 10.89.0.0/16 nexthop dev tun9 nexthop via 192.0.2.8 dev up0",
		"neigh add 10.7.0.9 lladdr 02:00:00:00:00:09 dev br0 nud permanent",
		"route add default via 192.0.2.254", "route add 10.66.0.0/16 via 192.0.2.7 table 100", "rule add lookup 100")
	for i := range 1500 {
		lines = append(lines, fmt.Sprintf("route add 100.%d.%d.0/24 via 192.0.2.254", 64+i/250, i%250))
	}
	batch := t.TempDir() + "/batch"
	if err := os.WriteFile(batch, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	nstest.Run(t, "ip", "-batch", batch)
}

// TestOneDeviceBesideMany examines devices with a reading of every link, and with one of what the checks ask for.
func TestOneDeviceBesideMany(t *testing.T) {
	nstest.NeedDriver(t)
	nstest.NeedProgram(t, "ip")
	nstest.Enter(t)
	crowd(t)
	sameBothWays(t, "tun7", "tun9", "tap7", "tap8")
}

// sameBothWays examines devices with a reading of every link and without, and returns the findings.
func sameBothWays(t *testing.T, names ...string) (all string) {
	t.Helper()
	ns, err := netcfg.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	found := func(name string, every bool) (text []string, links bool) {
		v, err := open(ns, Question{Device: name, Declared: func() []Declared { return nil }}, every)
		if err != nil {
			t.Fatal(err)
		}
		defer v.close()
		report, err := v.examine()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range slices.Concat(report.Findings, report.Trail) {
			text = append(text, fmt.Sprintln(f.Level, f.Check, f.What, f.Means, f.Fixes, f.Way))
		}
		return text, v.links.all != nil && !v.search.cut // by programs of others with very many descriptors
	}
	for _, name := range names {
		want, _ := found(name, true)
		all += strings.Join(want, "")
		got, every := found(name, false)
		if !slices.Equal(got, want) {
			t.Errorf("%s alone:\n%s\nwith every link:\n%s", name, strings.Join(got, ""), strings.Join(want, ""))
		}
		if every {
			t.Errorf("%s: every link was read", name)
		}
	}
	return all
}

// TestOneNetworkBesideManyAddresses examines devices whose networks other links have, or have not, while the kernel is
// asked for each network instead of all addresses, and while a look-up would hide a link.
func TestOneNetworkBesideManyAddresses(t *testing.T) {
	nstest.NeedDriver(t)
	nstest.NeedProgram(t, "ip")
	lines := []string{"link set lo up", "link add lan type bridge", "link set lan up",
		"addr add 192.168.3.1/24 dev lan", "link add many type bridge", "link set many up"}
	for i := range 300 {
		lines = append(lines, fmt.Sprintf("addr add 10.%d.%d.1/24 dev many", 200+i/256, i%256))
	}
	for i, of := range []string{"tun1", "tun2", "tun3", "tun4"} {
		lines = append(lines, "tuntap add "+of+" mode tun", "link set "+of+" up",
			fmt.Sprintf("addr add 10.%d.0.1/24 dev %s", i+1, of))
	}
	lines = append(lines, "tuntap add tun5 mode tun", "link set tun5 up", "addr add 10.5.0.1/32 dev tun5",
		"route add 192.168.3.77 dev tun4",
		"neigh add proxy 192.168.3.77 dev tun4", "addr add 192.168.3.65/26 dev tun3 noprefixroute")
	for name, test := range map[string]struct {
		lines []string
		want  []string
	}{
		"apart": {nil, []string{"in the network 192.168.3.0/24 of lan"}},
		"a rule": {[]string{"route add 10.77.0.0/16 dev many table 100", "rule add pref 100 lookup 100"},
			[]string{"in the network 192.168.3.0/24 of lan"}},
		"twice": {[]string{"link add b1 type bridge", "link set b1 up", "addr add 10.1.0.2/24 dev b1",
			"link add b2 type bridge", "link set b2 up", "addr add 10.2.0.1/24 dev b2",
			"link add b3 type bridge", "link set b3 up", "addr add 10.9.0.1 peer 10.3.0.2/24 dev b3 noprefixroute",
			"link add b4 type bridge", "addr add 10.4.0.2/24 dev b4"},
			[]string{"b1 also has an address in 10.1.0.0/24", "b2 also has an address in 10.2.0.0/24",
				"b3 also has an address in 10.3.0.0/24"}},
	} {
		t.Run(name, func(t *testing.T) {
			nstest.Enter(t)
			file := t.TempDir() + "/batch"
			text := strings.Join(slices.Concat(lines, test.lines), "\n")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			nstest.Run(t, "ip", "-batch", file)
			found := sameBothWays(t, "tun1", "tun2", "tun3", "tun4", "tun5")
			for _, want := range test.want {
				if !strings.Contains(found, want) {
					t.Errorf("no finding has %q:\n%s", want, found)
				}
			}
		})
	}
}
