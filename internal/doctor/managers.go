package doctor

import (
	"os"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// networkManager looks whether NetworkManager takes care of the device.
func networkManager(v *view) []Finding {
	d := v.device
	b, err := os.ReadFile("/run/NetworkManager/devices/" + strconv.Itoa(d.Index))
	if err != nil || v.Netns != "" || !strings.Contains(string(b), "managed=true") && !strings.Contains(string(b), "connection-uuid=") {
		return nil
	}
	name, what := d.Name, "NetworkManager takes care of it"
	means := "it changes addresses and routes, takes the device out of its bridge, and keeps a connection for it"
	if !plain(name) {
		return one(Warning, what, means, "rename the device: NetworkManager's files give characters of its name another meaning")
	}
	return one(Warning, what, means,
		"printf '[keyfile]\\nunmanaged-devices+=interface-name:%s\\n' "+netcfg.Word(name)+" >"+netcfg.Word("/etc/NetworkManager/conf.d/90-"+name+".conf")+" && nmcli general reload")
}

// networkd looks whether systemd-networkd has a file for the device.
func networkd(v *view) []Finding {
	d := v.device
	b, err := os.ReadFile("/run/systemd/netif/links/" + strconv.Itoa(d.Index))
	if err != nil || v.Netns != "" {
		return nil
	}
	file := ""
	for line := range strings.Lines(string(b)) {
		if path, ok := strings.CutPrefix(line, "NETWORK_FILE="); ok {
			file = strings.TrimSpace(path)
		}
	}
	if file == "" {
		return ok("systemd-networkd knows it, and leaves it alone")
	}
	name, what := d.Name, "systemd-networkd takes care of it, by "+netcfg.Escape(file)
	means := "it changes addresses and routes, and drops them when the carrier goes"
	if !plain(name) {
		return one(Warning, what, means, "rename the device: systemd-networkd's files give characters of its name another meaning")
	}
	return one(Warning, what, means,
		"printf '[Match]\\nName=%s\\n\\n[Link]\\nUnmanaged=yes\\n' "+netcfg.Word(name)+" >"+netcfg.Word("/etc/systemd/network/05-"+name+".network")+" && networkctl reload && networkctl reconfigure -- "+netcfg.Word(name))
}

// plain says whether a name means nothing but itself in the files of the network managers: no pattern, no negation, no list.
func plain(name string) bool {
	const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return strings.Trim(name, characters) == ""
}
