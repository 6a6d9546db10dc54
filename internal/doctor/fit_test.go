package doctor

import (
	"os"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/netcfg"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

// TestRemediesOfHostileNames: a remedy is about the device, whatever its name and its namespace.
func TestRemediesOfHostileNames(t *testing.T) {
	nstest.Enter(t)
	if err := os.MkdirAll("/run/netns/77", 0o755); err != nil {
		t.Fatal(err)
	}
	ns, err := netcfg.Open("")
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	for _, c := range []struct{ netns, mend, want string }{
		{"", "tunadm set tun0 --up", "tunadm set tun0 --up"},
		{"", "tunadm set -x --up", "tunadm set --up -- -x"},
		{"", `tunadm set $'-\x9b' --user kim --group 5`, `tunadm set --user kim --group 5 -- $'-\x9b'`},
		{"", "tunadm delete --up && tunadm add '-!' --mode tun", "tunadm delete -- --up && tunadm add --mode tun -- '-!'"},
		{"", "tunadm delete -x, if nobody needs it", "tunadm delete -- -x, if nobody needs it"},
		{"", "tunadm add --mode tun --user kim", "tunadm add --mode tun --user kim"},
		{"", "tunadm apply --replace", "tunadm apply --replace"},
		{"4711", "ip route del 10.0.0.0/8 dev tun0", "nsenter -t 4711 -n ip route del 10.0.0.0/8 dev tun0"},
		{"77", "tunadm set -x --up", "ip netns exec 77 tunadm set --up -- -x"},
		{"lab", "sysctl -w a=1", "ip netns exec lab sysctl -w a=1"},
		{"-lab", "sysctl -w a=1", "nsenter --net=/run/netns/-lab sysctl -w a=1"},
		{"/proc/1/ns/net", "sysctl -w a=1", "nsenter --net=/proc/1/ns/net sysctl -w a=1"},
		{"lab", "start the program that reads it", "start the program that reads it"},
	} {
		v := &view{namespace: ns, Question: Question{Netns: c.netns}}
		if got := v.fit(c.mend); got != c.want {
			t.Errorf("%q in %q:\n got %s\nwant %s", c.mend, c.netns, got, c.want)
		}
	}
}

// TestManagersOfHostileNames: a name that is a pattern to a network manager gets no file that would take its other links.
func TestManagersOfHostileNames(t *testing.T) {
	nstest.Enter(t)
	for _, dir := range []string{"/run/NetworkManager/devices", "/run/systemd/netif/links"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/5", []byte("managed=true\nNETWORK_FILE=/etc/systemd/network/x\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"!lo", "*", "tun?", "[a-z]0", "a,b", "a;b", "t\\0", "t\"0", "=x", "~x", "tun\xff", "t\u202e0", "tun0", "-x"} {
		v := &view{device: &netcfg.Device{Name: name, Index: 5, Kind: "tun"}}
		for _, found := range [][]Finding{networkManager(v), networkd(v)} {
			if len(found) != 1 || len(found[0].Mend) != 1 {
				t.Fatalf("%q: %v", name, found)
			}
			writes := strings.Contains(found[0].Mend[0], "printf")
			if want := plain(name); writes != want {
				t.Errorf("%q: %s", name, found[0].Mend[0])
			}
		}
	}
	v := &view{device: &netcfg.Device{Name: "-x", Index: 5, Kind: "tun"}}
	if mend := networkd(v)[0].Mend[0]; !strings.HasSuffix(mend, "networkctl reconfigure -- -x") {
		t.Error(mend)
	}
}
