package doctor

import (
	"strings"
	"testing"

	"github.com/tunadm/tunadm/netcfg"
)

// managed are the files of both network managers for the device of index 5.
var managed = tree{
	"/run/NetworkManager/devices/5":  "managed=true\n",
	"/run/systemd/netif/links/5":     "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/x\n",
	"/run/systemd/netif/links/other": "NETWORK_FILE=/etc/systemd/network/y\n",
}

func TestNetworkManagers(t *testing.T) {
	const manager = `printf '[keyfile]\nunmanaged-devices+=interface-name:%s\n' tun0 ` +
		`>/etc/NetworkManager/conf.d/90-tun0.conf`
	const networks = `printf '[Match]\nName=%s\n\n[Link]\nUnmanaged=yes\n' tun0 >/etc/systemd/network/05-tun0.network`
	for name, s := range map[string]situation{
		"no NetworkManager": {look: networkManager, device: tun0()},
		"no networkd":       {look: networkd, device: tun0()},
		"NetworkManager": {look: networkManager, device: tun0(), files: managed,
			want: "warning NetworkManager manages it", fix: manager + " && nmcli general reload"},
		"unmanaged by NetworkManager": {look: networkManager, device: tun0(),
			files: tree{"/run/NetworkManager/devices/5": "managed=false\n"}},
		"networkd": {look: networkd, device: tun0(), files: managed,
			want: "warning systemd-networkd manages it, by /etc/systemd/network/x",
			fix:  networks + " && networkctl reload && networkctl reconfigure -- tun0"},
		"networkd by intent": {look: networkd, device: tun0(), want: "ok", files: tree{
			"/run/systemd/netif/links/5": managed["/run/systemd/netif/links/5"],
			"/etc/systemd/network/x":     "[Match]\nName=tun0\n[Network]\nAddress=10.0.0.1/24\n"}},
		"networkd by a pattern": {look: networkd, device: tun0(), files: tree{
			"/run/systemd/netif/links/5": managed["/run/systemd/netif/links/5"],
			"/etc/systemd/network/x":     "[Match]\nName=t*\n"},
			want: "warning systemd-networkd manages it, by /etc/systemd/network/x",
			fix:  networks + " && networkctl reload && networkctl reconfigure -- tun0"},
		"unmanaged by networkd": {look: networkd, device: tun0(), want: "ok",
			files: tree{"/run/systemd/netif/links/5": "ADMIN_STATE=unmanaged\n"}},
		"in another namespace": {look: networkd, device: tun0(), files: managed, question: Question{Netns: "blue"}},
	} {
		t.Run(name, s.check)
	}
}

// TestManagersOfHostileNames: a name that is a pattern to a network manager gets no file, which would match its other
// links.
func TestManagersOfHostileNames(t *testing.T) {
	for _, name := range []string{"!lo", "*", "tun?", "[a-z]0", "a,b", "a;b", "t\\0", "t\"0", "=x", "~x", "tun\xff",
		"t\u202e0", "tun0", "-x"} {
		v := situation{device: tun0(func(d *netcfg.Device) { d.Name = name }), files: managed}.view()
		for _, found := range [][]Finding{networkManager(v), networkd(v)} {
			if len(found) != 1 || len(found[0].Fixes) != 1 {
				t.Fatalf("%q: %v", name, found)
			}
			fix := found[0].Fixes[0].String()
			if writes := strings.Contains(fix, "printf"); writes != plain(name) {
				t.Errorf("%q: %s", name, fix)
			}
		}
	}
	v := situation{device: tun0(func(d *netcfg.Device) { d.Name = "-x" }), files: managed}.view()
	if fix := networkd(v)[0].Fixes[0].String(); !strings.HasSuffix(fix, "networkctl reconfigure -- -x") {
		t.Error(fix)
	}
}
