package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// attach attaches to tap0 as a virtual machine does, until the test ends.
func (b *box) attach(flags uint16) *os.File {
	b.Helper()
	here, there := b.open("/proc/thread-self/ns/net"), b.open(container)
	b.enter(there)
	f, err := nstest.Attach("tap0", unix.IFF_TAP|unix.IFF_NO_PI|flags)
	b.enter(here)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return f
}

// open opens a network namespace.
func (b *box) open(path string) *os.File {
	b.Helper()
	f, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { f.Close() })
	return f
}

// enter moves the thread of the test into a network namespace.
func (b *box) enter(f *os.File) {
	b.Helper()
	if err := unix.Setns(int(f.Fd()), unix.CLONE_NEWNET); err != nil {
		b.Fatal(err)
	}
}

// TestDELDeletesItsTap in each state in which a container may leave it.
func TestDELDeletesItsTap(t *testing.T) {
	for name, c := range map[string]struct {
		config keys
		before func(b *box)
	}{
		"unused":                   {before: func(b *box) {}},
		"held by a VM":             {before: func(b *box) { b.attach(0) }},
		"multi-queue, held":        {keys{"multiQueue": true}, func(b *box) { b.attach(unix.IFF_MULTI_QUEUE) }},
		"renamed":                  {before: func(b *box) { b.ip("link set tap0 down name vm0") }},
		"given to another":         {before: func(b *box) { chown(b.TB, b.attach(0)) }},
		"deleted":                  {before: func(b *box) { b.ip("link delete tap0") }},
		"not persistent":           {before: func(b *box) { persist(b.TB, b.attach(0)) }},
		"CNI_NETNS is empty":       {before: func(b *box) { b.env = []string{"CNI_NETNS="} }},
		"CNI_NETNS does not exist": {before: func(b *box) { b.env = []string{"CNI_NETNS="}; b.ip("link delete tap0") }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			config := reserving([]string{"10.1.2.2/24"}).with(c.config)
			b.must("ADD", config)
			c.before(b)
			for range 2 {
				b.must("DEL", config.with(keys{"mtu": "not a number"}))
				if !b.empty() {
					t.Error("something is left: ", b.ip("-o link"))
				}
			}
		})
	}
}

func chown(t testing.TB, f *os.File) {
	t.Helper()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TUNSETOWNER, 0); err != nil {
		t.Fatal(err)
	}
}

func persist(t testing.TB, f *os.File) {
	t.Helper()
	if err := unix.IoctlSetInt(int(f.Fd()), unix.TUNSETPERSIST, 0); err != nil {
		t.Fatal(err)
	}
}

// TestDELLeavesOtherDevices that have the name of a tap that is gone, and those in another namespace.
func TestDELLeavesOtherDevices(t *testing.T) {
	for name, line := range map[string]string{
		"tap":  "tuntap add tap0 mode tap",
		"tun":  "tuntap add tap0 mode tun",
		"veth": "link add tap0 type veth peer name other",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.must("ADD", keys{})
			b.ip("link delete tap0")
			b.ip(line)
			b.must("DEL", keys{})
			if !b.has("tap0") {
				t.Error("it was deleted")
			}
		})
	}
	t.Run("another namespace", func(t *testing.T) {
		b := newBox(t)
		b.must("ADD", keys{})
		nstest.Run(t, "ip", "netns", "delete", "c")
		nstest.Run(t, "ip", "netns", "add", "c")
		b.ip("tuntap add tap0 mode tap")
		b.must("DEL", keys{})
		if !b.has("tap0") {
			t.Error("it was deleted")
		}
	})
}

// TestDELWithoutANamespace: the namespace is gone, or its mount is and the file below it is seen.
func TestDELWithoutANamespace(t *testing.T) {
	for name, path := range map[string]string{
		"gone": "/run/gone", "a file": "/run/file", "a directory": "/run", "below a file": "/run/file/x",
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			if err := os.WriteFile("/run/file", nil, 0o600); err != nil {
				t.Fatal(err)
			}
			config := reserving([]string{"10.1.2.2/24"})
			b.must("ADD", config)
			b.ip("link delete tap0") // with its namespace
			b.env = []string{"CNI_NETNS=" + path}
			b.must("DEL", config)
			if !b.empty() {
				t.Error("something is left")
			}
		})
	}
}

// TestDELReportsTheIPAMPlugin, and deletes the tap.
func TestDELReportsTheIPAMPlugin(t *testing.T) {
	b := newBox(t)
	b.must("ADD", keys{})
	_, refusal := b.call("DEL", keys{"ipam": keys{"type": "none"}})
	if refusal == nil || !strings.HasPrefix(refusal.Msg, "ipam none: ") || !b.empty() {
		t.Errorf("got %+v", refusal)
	}
}

// TestGC deletes the taps of a network whose attachments are no longer valid.
func TestGC(t *testing.T) {
	b := newBox(t)
	of := func(name, id string) *box {
		other := *b
		other.env = []string{"CNI_IFNAME=" + name, "CNI_CONTAINERID=" + id}
		return &other
	}
	for i, id := range []string{"valid", "stale", "replaced"} {
		of([]string{"tap1", "tap2", "tap3"}[i], id).must("ADD", keys{})
	}
	of("tap4", "stale").must("ADD", keys{"name": "net2"})
	b.ip("tuntap add tap5 mode tap")
	b.ip("link delete tap3")
	b.ip("tuntap add tap3 mode tap")
	b.must("GC", keys{})
	left := func(want string) {
		t.Helper()
		for _, name := range []string{"tap1", "tap2", "tap3", "tap4", "tap5"} {
			if b.has(name) != strings.Contains(want, name) {
				t.Errorf("%s: want %s", b.ip("-o link"), want)
			}
		}
	}
	left("tap1 tap2 tap3 tap4 tap5")
	const valid = "cni.dev/valid-attachments"
	b.must("GC", keys{valid: []keys{{"containerID": "valid", "ifname": "tap1"}}})
	left("tap1 tap3 tap4 tap5")
	b.must("GC", keys{valid: nil})
	left("tap3 tap4 tap5")
	if records, _ := filepath.Glob("/run/tunadm/plugin-*"); len(records) != 1 {
		t.Error(records)
	}
}

// TestSTATUS without the driver, and without a directory for records.
func TestSTATUS(t *testing.T) {
	b := newBox(t)
	b.must("STATUS", keys{})
	if err := unix.Mount("tmpfs", "/dev/net", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"STATUS", "ADD"} {
		_, refusal := b.call(verb, reserving([]string{"10.1.2.2/24"}))
		if refusal == nil || refusal.Code != codeNotAvailable || !b.empty() ||
			!strings.Contains(refusal.Msg, "/dev/net/tun: no such node") {
			t.Errorf("got %+v", refusal)
		}
	}
	if err := unix.Unmount("/dev/net", 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod("/run/tunadm", 0o777); err != nil {
		t.Fatal(err)
	}
	if _, refusal := b.call("STATUS", keys{}); refusal == nil || refusal.Code != codeNotAvailable {
		t.Errorf("got %+v", refusal)
	}
}

// TestCHECK changes one thing at a time.
func TestCHECK(t *testing.T) {
	config := keys{"mtu": 1400, "mac": "02:00:00:00:00:01", "owner": 0, "bridge": "br0", "alias": "x",
		"txqueuelen": 77}.with(reserving([]string{"10.1.2.2/24"}, keys{"dst": "10.9.0.0/16", "gw": "10.1.2.1"}))
	for name, c := range map[string]struct {
		line string
		code uint
		text string
	}{
		"mtu":     {"link set tap0 mtu 1300", 108, "mtu 1400"},
		"mac":     {"link set tap0 address 02:00:00:00:00:09", 108, "mac 02:00:00:00:00:01"},
		"down":    {"link set tap0 down", 108, "up"},
		"alias":   {"link set tap0 alias y", 108, "alias x"},
		"queue":   {"link set tap0 txqueuelen 5", 108, "txqueuelen 77"},
		"master":  {"link set tap0 nomaster", 108, "master br0"},
		"bridge":  {"link delete br0", 101, "master br0: no such device"},
		"address": {"addr del 10.1.2.2/24 dev tap0", 108, "address 10.1.2.2/24"},
		"route":   {"route del 10.9.0.0/16", 108, "route 10.9.0.0/16 via 10.1.2.1"},
		"absent":  {"link delete tap0", 103, "tap0: no such device"},
		"more":    {"addr add 10.7.0.1/24 dev tap0", 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			b.ip("link add br0 type bridge")
			_, check := b.add(config)
			b.must("CHECK", check)
			b.ip(c.line)
			_, refusal := b.call("CHECK", check)
			if c.code == 0 && refusal != nil || c.code != 0 &&
				(refusal == nil || refusal.Code != c.code || !strings.Contains(refusal.Msg, c.text)) {
				t.Errorf("got %+v", refusal)
			}
		})
	}
}

// TestCHECKOfAccess: who may attach, and what cannot be changed.
func TestCHECKOfAccess(t *testing.T) {
	for name, c := range map[string]struct {
		config, other keys
		code          uint
		text          string
	}{
		"none asked":   {keys{"owner": 0}, keys{"owner": nil}, 0, ""},
		"group is set": {keys{"owner": 0, "group": 0}, keys{"group": nil}, 108, "the kernel cannot remove"},
		"owner is not": {keys{"group": 0}, keys{"owner": 0}, 108, "access 0+0(group)"},
		"multi-queue":  {keys{}, keys{"multiQueue": true}, 108, "it is single-queue"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t)
			_, check := b.add(c.config)
			_, refusal := b.call("CHECK", check.with(c.other))
			if c.code == 0 && refusal != nil || c.code != 0 &&
				(refusal == nil || refusal.Code != c.code || !strings.Contains(refusal.Msg, c.text)) {
				t.Errorf("got %+v", refusal)
			}
		})
	}
	b := newBox(t)
	_, refusal := b.call("CHECK", keys{})
	if refusal == nil || refusal.Code != 7 || refusal.Msg != "prevResult: it is missing" {
		t.Errorf("got %+v", refusal)
	}
	_, check := b.add(reserving([]string{"10.1.2.2/24"}))
	if err := os.Remove("/run/reserved-ctr"); err != nil {
		t.Fatal(err)
	}
	if _, refusal := b.call("CHECK", check); refusal == nil || refusal.Code != 42 {
		t.Errorf("got %+v", refusal) // the IPAM plugin's
	}
}
