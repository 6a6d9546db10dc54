package doctor

import (
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// networkManager reports that NetworkManager manages the device.
func networkManager(v *view) []Finding {
	d := v.device
	b, err := v.file("/run/NetworkManager/devices/" + strconv.Itoa(d.Index))
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

// networkd reports that systemd-networkd has a file for the device.
func networkd(v *view) []Finding {
	d := v.device
	b, err := v.file("/run/systemd/netif/links/" + strconv.Itoa(d.Index))
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
