package doctor

import (
	"slices"
	"time"

	"github.com/tunadm/tunadm/netcfg"
)

// read reads the devices of the question, or all links. It waits until the addresses of the devices are settled.
func (v *view) read(every bool) error {
	const pause, longest = 20 * time.Millisecond, 1200 * time.Millisecond
	for range longest / pause {
		if err := v.readOnce(every); err != nil || !slices.ContainsFunc(v.candidates, v.unsettled) {
			return err
		}
		time.Sleep(pause)
	}
	return nil
}

func (v *view) readOnce(every bool) (err error) {
	v.links = newIndex()
	if !every {
		err = v.readNamed()
	} else {
		v.candidates, err = v.readNetwork()
	}
	v.name(v.Device)
	return err
}

// readNamed reads the named devices alone, and the policy rules.
func (v *view) readNamed() error {
	found, err := v.namespace.Summaries(append([]string{v.Device}, v.More...)...)
	if err != nil {
		return err
	}
	v.candidates = nil
	for _, d := range found {
		if d != nil && d.Kind == "tun" && !slices.Contains(v.candidates, d) {
			v.candidates = append(v.candidates, d)
			v.links.add(d)
		}
	}
	v.align()
	v.policies, err = v.namespace.Rules()
	return err
}

// align reads the counters of the network namespace, and then those of the devices again, so that both are of one time:
// the search for attached programs takes a while in between.
func (v *view) align() {
	for _, file := range []string{"snmp", "snmp6", "netstat"} {
		v.host.CounterNow(file, "", "")
	}
	for _, d := range v.candidates {
		if now, known := v.statsNow(d); known {
			d.Stats = now
		}
	}
}

// hasRoutes reports whether configured routes lead through a device. The kernel goes through all routes to find those
// of one device, so they are read only if a check asks for them.
func (v *view) hasRoutes(d *netcfg.Device) bool {
	if v.links.all != nil {
		return len(d.Routes) > 0
	}
	return len(v.host.ConfiguredThrough(d.Index)) > 0
}

// statsNow reads the counters of a device again. They are not known if the device is gone.
func (v *view) statsNow(d *netcfg.Device) (now netcfg.Stats, known bool) {
	found, err := v.namespace.Counters(d.Name)
	if err != nil || found[0] == nil || found[0].Index != d.Index {
		return now, false
	}
	return found[0].Stats, true
}

// name makes the question one about a device; "": about all devices.
func (v *view) name(device string) {
	v.Device = device
	v.devices = slices.DeleteFunc(slices.Clone(v.candidates), func(d *netcfg.Device) bool {
		return device != "" && d.Name != device && !slices.Contains(d.AltNames, device)
	})
}
