package doctor

import (
	"strings"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// declaration returns how the default files declare a device; its Spec is nil if they do not.
func (v *view) declaration(device string) Declared {
	if v.promised == nil {
		v.promised = map[string]Declared{}
		for _, d := range v.Declared() {
			v.promised[d.Spec.Name] = d
		}
	}
	return v.promised[device]
}

// finding returns a warning about a device, or a port of it, whose texts name the place of the declaration.
func (d *Declared) finding(device, what, means string, fixes ...fix.Fix) Finding {
	return Finding{Level: Warning, Device: device, Place: d.Place, What: what, Means: means, Fixes: fixes}
}

// missing finds declared devices, and ports of declared bridges, that do not exist. The check device reports a named
// one.
func missing(v *view) (found []Finding) {
	if v.Device != "" || v.User != "" || v.Netns != "" {
		return nil
	}
	for _, d := range v.Declared() {
		if v.link(d.Spec.Name) == nil {
			found = append(found, d.finding(d.Spec.Name, "it is declared ("+d.Place+"), but does not exist", "",
				fix.Run(fix.Tunadm("apply", ""))))
		}
		for _, port := range d.Spec.Ports {
			if v.link(port) == nil && v.declaration(port).Spec == nil {
				found = append(found, d.finding(port, "it is declared as a port of "+words.Escape(d.Spec.Name)+
					" ("+d.Place+"), but does not exist", "",
					fix.Sentence("create it, then run tunadm apply; or remove it from ports")))
			}
		}
	}
	return found
}

// declared compares the device with its declaration in the default files.
func declared(v *view) []Finding {
	d := v.device
	declaration := v.declaration(d.Name)
	if declaration.Spec == nil || v.Netns != "" {
		return nil
	}
	place := " (" + declaration.Place + ")"
	report := func(what, means string, fix fix.Fix) []Finding {
		return []Finding{declaration.finding(d.Name, what, means, fix)}
	}
	want := *declaration.Spec
	if m := want.Master; m != nil && m.Name != d.Master {
		return report("it is not a port of "+words.Escape(m.Name)+", as declared"+place, v.insteadOf(m.Name),
			v.joinFix(m.Name))
	}
	want.Master = nil // it is the declared one
	steps, err := netcfg.Plan(&want, d)
	if err != nil {
		return report("it differs from its declaration"+place+": "+err.Error(),
			"it was created by hand, or the file has changed since",
			fix.Run(fix.Tunadm("apply", "", "--replace")))
	}
	if len(steps) == 0 {
		return nil
	}
	var lacks []string
	for _, s := range steps {
		lacks = append(lacks, s.String())
	}
	return report("it differs from its declaration"+place+"; missing: "+strings.Join(lacks, "; "),
		"another program changed it, such as udev, which sets the MAC address of a new device; "+
			"or it went down, which removes IPv6 addresses and routes",
		fix.Run(fix.Tunadm("apply", "")))
}

// joinFix returns the fix for a device that is not a port of its declared master.
func (v *view) joinFix(master string) fix.Fix {
	if master == "" || v.link(master) != nil || v.declaration(master).Spec != nil {
		return fix.Run(fix.Tunadm("apply", ""))
	}
	name := words.Escape(master)
	return fix.Sentence("create " + name + ", then run tunadm apply; or declare it: [bridge." + name + "]")
}

// insteadOf tells what the device is instead of a port of the declared master.
func (v *view) insteadOf(declared string) string {
	switch {
	case declared != "" && v.link(declared) == nil:
		return words.Escape(declared) + " does not exist"
	case v.device.Master == "":
		return "another program removed it, or the master was re-created"
	}
	return "it is a port of " + words.Escape(v.device.Master)
}
