package doctor

import (
	"io/fs"
	"slices"
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
		return opinion(one(Warning, what, means,
			fix.Sentence("rename the device: its name has characters that are special in NetworkManager's files")))
	}
	write := fix.ByRoot("printf", `[keyfile]\nunmanaged-devices+=interface-name:%s\n`, name)
	write.Output = "/etc/NetworkManager/conf.d/90-" + name + ".conf"
	return opinion(one(Warning, what, means, fix.Run(write, fix.ByRoot("nmcli", "general", "reload"))))
}

// managed reads the file of a network manager for a device, if its directory has one.
func (v *view) managed(directory string, d *netcfg.Device) ([]byte, error) {
	name := strconv.Itoa(d.Index)
	if v.names != nil && v.Device == "" { // one listing instead of a file for each device
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
	if v.intended(file) {
		return ok("systemd-networkd manages it, by " + words.Escape(file) + ", which names it")
	}
	name, what := d.Name, "systemd-networkd manages it, by "+words.Escape(file)
	means := "systemd-networkd changes addresses and routes, and removes them when the carrier is lost"
	if !plain(name) {
		return opinion(one(Warning, what, means,
			fix.Sentence("rename the device: its name has characters that are special in systemd-networkd's files")))
	}
	write := fix.ByRoot("printf", `[Match]\nName=%s\n\n[Link]\nUnmanaged=yes\n`, name)
	write.Output = "/etc/systemd/network/05-" + name + ".network"
	return opinion(one(Warning, what, means,
		fix.Run(write, fix.ByRoot("networkctl", "reload"),
			fix.ByRoot("networkctl", "reconfigure", "--", name))))
}

// intended reports whether an administrator made the file of systemd-networkd for this device: it matches the very
// name.
func (v *view) intended(file string) bool {
	b, err := v.file(file)
	section := ""
	for line := range strings.Lines(string(b)) {
		key, value, assigned := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case !assigned:
			section = key
		case section == "[Match]" && strings.TrimSpace(key) == "Name":
			return err == nil && slices.Contains(strings.Fields(value), v.device.Name)
		}
	}
	return false
}

// plain reports whether a name has no special character of the network managers' files: no pattern, no negation, no
// list.
func plain(name string) bool {
	const characters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	return strings.Trim(name, characters) == ""
}
