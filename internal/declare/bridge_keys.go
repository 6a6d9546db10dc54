package declare

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/sysctl"
	"github.com/tunadm/tunadm/netcfg"
)

// vlanMax is the largest number of a VLAN.
const vlanMax = 4094

// bridgeKeys returns the table of the keys of a bridge, in the order of the manual.
var bridgeKeys = sync.OnceValue(func() []key {
	return []key{
		*findKey("addresses"),
		*findKey("routes"),
		*findKey("mtu"),
		*findKey("mac"),
		*findKey("up"),
		settingKey("stp", rtnl.STP),
		settingKey("forward_delay", rtnl.ForwardDelay),
		settingKey("ageing", rtnl.Ageing),
		settingKey("vlan_filtering", rtnl.VLANFiltering),
		settingKey("vlan_default_pvid", rtnl.VLANDefaultPVID),
		settingKey("multicast_snooping", rtnl.MulticastSnooping),
		listKey("ports", parsePort, func(d *Declaration, list []portName) {
			for _, name := range list {
				d.Spec.Ports = append(d.Spec.Ports, string(name))
			}
		}),
		sysctlKey(),
		truthKey("move_addresses", func(d *Declaration, on bool) { d.Spec.MoveAddresses = on }),
	}
})

// portKeys returns the table of the keys of the table port.
var portKeys = sync.OnceValue(func() []key {
	return []key{
		settingKey("isolated", rtnl.Isolated),
		settingKey("learning", rtnl.Learning),
		settingKey("flood", rtnl.Flood),
		settingKey("hairpin", rtnl.Hairpin),
		settingKey("cost", rtnl.Cost),
		settingKey("priority", rtnl.Priority),
		pvidKey(),
		vlansKey(),
	}
})

type portName string

func (p portName) String() string { return string(p) }

func parsePort(s string) (portName, error) { return portName(s), link.CheckName(s) }

// settingKey returns the key of a setting of a bridge or of a port.
func settingKey(name string, s rtnl.Setting) key {
	least, most := s.Bounds()
	if most > 1 {
		k := numberKey(name, int64(least), int64(most), func(d *Declaration, n int) {
			n = s.Value(n)
			d.Spec.Settings[s] = &n
		})
		k.value = func(asked *netcfg.Spec) string {
			if asked.Settings[s] == nil {
				return ""
			}
			return s.Decimal(*asked.Settings[s])
		}
		return k
	}
	k := truthKey(name, func(d *Declaration, on bool) {
		n := map[bool]int{true: 1}[on]
		d.Spec.Settings[s] = &n
	})
	k.value = func(asked *netcfg.Spec) string {
		if asked.Settings[s] == nil {
			return ""
		}
		return strconv.FormatBool(*asked.Settings[s] != 0)
	}
	return k
}

// pvidKey returns the key of the VLAN of untagged frames.
func pvidKey() key {
	k := numberKey("pvid", 0, vlanMax, func(d *Declaration, n int) { d.Spec.PVID = &n })
	k.value = func(asked *netcfg.Spec) string { return tomlValue(asked.PVID) }
	return k
}

// vlansKey returns the key of a list of VLANs.
func vlansKey() key {
	k := key{name: "vlans", kind: "array of integers", least: 1, most: vlanMax}
	k.value = func(asked *netcfg.Spec) string {
		if asked.VLANs == nil {
			return ""
		}
		return strings.ReplaceAll(fmt.Sprint(*asked.VLANs), " ", ", ")
	}
	k.set = func(d *Declaration, v value) error {
		if v.kind != unstable.Array {
			return wrongType(k, v)
		}
		list := make([]int, 0, len(v.items))
		for _, item := range v.items {
			n, err := parseInteger(item.text)
			switch {
			case item.kind != unstable.Integer:
				err = fmt.Errorf("%s is not an integer", item.text)
			case err != nil || n < k.least || n > k.most:
				err = fmt.Errorf("%s is out of range: %d to %d", item.text, k.least, k.most)
			case slices.Contains(list, int(n)):
				err = fmt.Errorf("%s is listed twice", item.text)
			}
			if err != nil {
				return valueErrors{{at: item.at, text: err.Error()}}
			}
			list = append(list, int(n))
		}
		d.Spec.VLANs = &list
		return nil
	}
	return k
}

// sysctlKey returns the key of the sysctls of a device, which are named without it.
func sysctlKey() key {
	k := key{name: "sysctl", kind: "table"}
	k.set = func(d *Declaration, v value) error {
		if v.kind != unstable.InlineTable {
			return wrongType(k, v)
		}
		d.Spec.Sysctls = nil
		var wrong valueErrors
		for _, pair := range v.items {
			to := pair.items[0]
			text, err := sysctlText(to)
			if err != nil {
				wrong = append(wrong, valueErrors{{at: to.at, text: err.Error()}}...)
				continue
			}
			one, err := sysctl.Parse(dotted(pair.text), text)
			if err != nil {
				wrong = append(wrong, valueErrors{{at: pair.at, text: err.Error()}}...)
			}
			d.Spec.Sysctls = append(d.Spec.Sysctls, one)
		}
		if len(wrong) > 0 {
			return wrong
		}
		return nil
	}
	return k
}

// sysctlText returns the value of a sysctl as the kernel reads it: an integer of TOML in decimal.
func sysctlText(v value) (string, error) {
	switch v.kind {
	case unstable.String:
		return v.text, nil
	case unstable.Integer:
		n, err := parseInteger(v.text)
		if err != nil {
			return "", fmt.Errorf("%s is out of range", v.text)
		}
		return strconv.FormatInt(n, 10), nil
	}
	return "", errors.New("must be a string in quotes or an integer")
}

// tableKey returns a key whose value is a table of these keys.
func tableKey(name string, table func() []key) key {
	k := key{name: name, kind: "table"}
	k.set = func(d *Declaration, v value) error {
		if v.kind != unstable.InlineTable {
			return wrongType(k, v)
		}
		var wrong valueErrors
		for _, pair := range v.items {
			sub, to := keyIn(table(), dotted(pair.text)), pair.items[0]
			if sub == nil {
				wrong = append(wrong, valueErrors{{pair.at, fmt.Sprintf("unknown key %q", dotted(pair.text)),
					nearestKey(dotted(pair.text), table())}}...)
				continue
			}
			var several valueErrors
			switch err := sub.set(d, to); {
			case errors.As(err, &several):
				for _, one := range several {
					one.text = sub.name + ": " + one.text
					wrong = append(wrong, one)
				}
			case err != nil:
				wrong = append(wrong, valueErrors{{at: to.at, text: sub.name + ": " + err.Error()}}...)
			}
		}
		if len(wrong) > 0 {
			return wrong
		}
		return nil
	}
	return k
}

// checkBridge refuses settings of a bridge or a port that exclude each other.
func (d *document) checkBridge(one *Declaration, at func(key string) int) bool {
	spec := &one.Spec
	stp, delay := spec.Settings[rtnl.STP], spec.Settings[rtnl.ForwardDelay]
	ofPort := spec.PVID != nil || spec.VLANs != nil
	for i, value := range spec.Settings {
		ofPort = ofPort || value != nil && rtnl.Setting(i).OfPort()
	}
	switch {
	case stp != nil && *stp == 1 && delay != nil && *delay < rtnl.ForwardDelay.Value(2):
		d.mistake(at("forward_delay"), "", "forward_delay: with stp it is 2 or more")
	case spec.PVID != nil && spec.VLANs != nil && slices.Contains(*spec.VLANs, *spec.PVID):
		d.mistake(at("port"), "leave it out of vlans", "port: pvid %d is in vlans too", *spec.PVID)
	case ofPort && (spec.Master == nil || spec.Master.Name == ""):
		d.mistake(at("port"), `master = "br0"`, "port: the device joins no bridge")
	default:
		return true
	}
	return false
}
