package doctor

import (
	"io/fs"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// networkManager reports that NetworkManager manages the device.
func networkManager(v *view) []Finding {
	d := v.device
	b, err := v.managed("/run/NetworkManager/devices", d)
	if err != nil || v.Netns != "" || !strings.Contains(string(b), "managed=true") &&
		!strings.Contains(string(b), "connection-uuid=") {
		return nil
	}
	name, what := d.Name, "NetworkManager manages it"
	means := "NetworkManager changes addresses and routes, removes the device from its bridge, " +
		"and stores a connection profile for it"
	if !plain(name) {
		return one(Warning, what, means,
			fix.Sentence("rename the device: its name has characters that are special in NetworkManager's files"))
	}
	write := fix.ByRoot("printf", `[keyfile]\nunmanaged-devices+=interface-name:%s\n`, name)
	write.Output = "/etc/NetworkManager/conf.d/90-" + name + ".conf"
	return one(Warning, what, means, fix.Run(write, fix.ByRoot("nmcli", "general", "reload")))
}

// managed reads the file of a network manager for a device, if its directory has one.
func (v *view) managed(directory string, d *netcfg.Device) ([]byte, error) {
	name := strconv.Itoa(d.Index)
	if v.names != nil {
		list, read := v.managers[directory]
		if !read {
			list = map[string]bool{}
			for _, n := range v.names(directory) {
				list[n] = true
			}
			v.managers[directory] = list
		}
		if !list[name] {
			return nil, fs.ErrNotExist
		}
	}
	return v.file(directory + "/" + name)
}

// networkd reports that systemd-networkd has a file for the device.
func networkd(v *view) []Finding {
	d := v.device
	b, err := v.managed("/run/systemd/netif/links", d)
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
		return ok("systemd-networkd does not manage it")
	}
	name, what := d.Name, "systemd-networkd manages it, by "+words.Escape(file)
	means := "systemd-networkd changes addresses and routes, and removes them when the carrier is lost"
	if !plain(name) {
		return one(Warning, what, means,
			fix.Sentence("rename the device: its name has characters that are special in systemd-networkd's files"))
	}
	write := fix.ByRoot("printf", `[Match]\nName=%s\n\n[Link]\nUnmanaged=yes\n`, name)
	write.Output = "/etc/systemd/network/05-" + name + ".network"
	return one(Warning, what, means,
		fix.Run(write, fix.ByRoot("networkctl", "reload"),
			fix.ByRoot("networkctl", "reconfigure", "--", name)))
}

// plain reports whether a name has no special character of the network managers' files: no pattern, no negation, no
// list.
func plain(name string) bool {
	const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return strings.Trim(name, characters) == ""
}
