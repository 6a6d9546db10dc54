package fix

import "testing"

// TestFixOfHostileNames checks that a command of a fix means the device for any name and namespace.
func TestFixOfHostileNames(t *testing.T) {
	set := func(name string) Fix { return Run(Tunadm("set", name, "--up")) }
	sysctl := Run(InNamespace("sysctl", "-w", "a=1"))
	for _, c := range []struct {
		fix         Fix
		netns, want string
	}{
		{set("tun0"), "", "tunadm set tun0 --up"},
		{set("-x"), "", "tunadm set --up -- -x"},
		{Run(Tunadm("set", "-\x9b", "--user", "kim", "--group", "5")), "",
			`tunadm set --user kim --group 5 -- $'-\x9b'`},
		{Run(Tunadm("delete", "--up"), Tunadm("add", "-!", "--mode", "tun")), "",
			"tunadm delete -- --up && tunadm add --mode tun -- '-!'"},
		{Fix{Commands: []Command{Tunadm("delete", "-x")}, After: ", if no program needs it"}, "",
			"tunadm delete -- -x, if no program needs it"},
		{Run(Tunadm("add", "", "--mode", "tun", "--user", "kim")), "", "tunadm add --mode tun --user kim"},
		{Run(Tunadm("doctor", "tun0", "--netns", "blue")), "lab", "tunadm doctor tun0 --netns blue"},
		{Run(InNamespace("ip", "route", "del", "10.0.0.0/8", "dev", "tun0")), "2147483647",
			"nsenter -t 2147483647 -n ip route del 10.0.0.0/8 dev tun0"},
		{sysctl, "lab", "ip netns exec lab sysctl -w a=1"},
		{sysctl, "-lab", "nsenter --net=/run/netns/-lab sysctl -w a=1"},
		{sysctl, "/proc/1/ns/net", "nsenter --net=/proc/1/ns/net sysctl -w a=1"},
		{Run(ByRoot("modprobe", "tun")), "lab", "modprobe tun"},
		{Run(Command{Words: []string{"printf", "a b"}, Output: "/etc/a;b"}), "lab", "printf 'a b' >'/etc/a;b'"},
		{Sentence("start the program that reads it"), "lab", "start the program that reads it"},
	} {
		if got := c.fix.In(c.netns).String(); got != c.want {
			t.Errorf("in %q:\n got %s\nwant %s", c.netns, got, c.want)
		}
	}
}

// TestFixForUser checks that a fix asks for root only if a command requires root.
func TestFixForUser(t *testing.T) {
	for _, c := range []struct {
		fix  Fix
		want string
	}{
		{Run(ByRoot("modprobe", "tun")), "ask root for: modprobe tun"},
		{Run(Tunadm("doctor", "tun0")), "tunadm doctor tun0"},
		{Sentence("log in again"), "log in again"},
		{Fix{Before: "stop it first, or: ", Commands: []Command{Tunadm("delete", "tun0")}},
			"stop it first, or: tunadm delete tun0"},
	} {
		if got := c.fix.For(false).For(false).String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
		if got := c.fix.For(true).String(); got != c.fix.String() {
			t.Errorf("root gets %s, not %s", got, c.fix)
		}
	}
}
