package doctor

import (
	"errors"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
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

// missing finds declared devices, and ports of declared bridges, that do not exist: first those that apply cannot
// create, then those that it leaves out because of them. The check device reports a named one.
func missing(v *view) []Finding {
	if v.Device != "" || v.User != "" || v.Netns != "" {
		return nil
	}
	var causes, effects, rest []Finding
	for _, d := range v.Declared() {
		for _, port := range d.Spec.Ports {
			if v.link(port) == nil && v.declaration(port).Spec == nil {
				causes = append(causes, d.finding(port, "it is declared as a port of "+words.Escape(d.Spec.Name)+
					" ("+d.Place+"), but does not exist", "",
					fix.Sentence("create it, then run tunadm apply; or remove it from ports")))
			}
		}
		if v.link(d.Spec.Name) != nil {
			continue
		}
		means, fixes := v.applied(d)
		found := d.finding(d.Spec.Name, "it is declared ("+d.Place+"), but does not exist", means, fixes...)
		switch {
		case means == "":
			rest = append(rest, found)
		case cause.Of(v.refusal(d.Spec.Name)) == cause.OtherFailed:
			effects = append(effects, found)
		default:
			causes = append(causes, found)
		}
	}
	return slices.Concat(causes, effects, rest)
}

// refusal returns the error with which apply would leave a device unchanged; nil: it would not.
func (v *view) refusal(device string) error {
	if v.unapplied == nil {
		v.unapplied = v.Unapplied()
	}
	return v.unapplied[device]
}

// applied returns the fixes for a declared device that differs or does not exist: apply, or what must come first, and
// then why.
func (v *view) applied(declaration Declared) (why string, fixes []fix.Fix) {
	apply := fix.Run(fix.Tunadm("apply", ""))
	err, e := v.refusal(declaration.Spec.Name), new(cause.Error)
	if err == nil {
		return "", []fix.Fix{apply}
	}
	errors.As(err, &e)
	switch e.Cause {
	case cause.OtherFailed:
		return leftOut(e)
	case cause.WrongMode, cause.WrongQueues, cause.OwnerFixed:
		replace := fix.Run(fix.Tunadm("apply", "", "--replace"))
		if d := v.link(declaration.Spec.Name); d.InUse() {
			replace = fix.Sentence("end the program, then run " + replace.String() + ": " + d.UsedBy())
		}
		return "", []fix.Fix{replace}
	case cause.NoMaster:
		master := words.Escape(declaration.Spec.Master.Name)
		create := fix.HintOf(err).Then(apply, "")
		if declaration.Spec.Mode == link.TAP {
			create = fix.Sentence("create " + master + thenApply + "; or declare it: [bridge." + master + "]")
		}
		return master + " does not exist", []fix.Fix{create}
	}
	return "tunadm apply fails: " + err.Error(), []fix.Fix{fix.HintOf(err).Then(apply, "correct the declaration")}
}

// thenApply comes after what the administrator does first.
const thenApply = ", then run tunadm apply"

// leftOut returns why apply leaves a device or a bridge unchanged because another device fails, and the fixes.
func leftOut(err *cause.Error) (why string, fixes []fix.Fix) {
	failed := new(cause.Error)
	if !errors.As(err.Err, &failed) {
		return "tunadm apply leaves it " + err.Error(), []fix.Fix{fix.Sentence("correct that" + thenApply)}
	}
	name := words.Escape(failed.Device)
	if failed.Cause != cause.NoDevice {
		return "tunadm apply fails: " + name + ": " + failed.Error(),
			[]fix.Fix{fix.Sentence("correct " + name + thenApply)}
	}
	without := fix.Run(fix.Tunadm("apply", "", "--defer-master"))
	without.After = "  # without ports and masters that do not exist"
	return name + " does not exist", []fix.Fix{fix.Sentence("create " + name + thenApply), without}
}

// declared compares the device with its declaration in the default files.
func declared(v *view) []Finding {
	d := v.device
	declaration := v.declaration(d.Name)
	if declaration.Spec == nil || v.Netns != "" {
		return nil
	}
	place := " (" + declaration.Place + ")"
	report := func(what, means string) []Finding {
		why, fixes := v.applied(declaration)
		if why != "" {
			means = why
		}
		return []Finding{declaration.finding(d.Name, what, means, fixes...)}
	}
	want := *declaration.Spec
	if m := want.Master; m != nil && m.Name != d.Master {
		return report("it is not a port of "+words.Escape(m.Name)+", as declared"+place, v.insteadOf(m.Name))
	}
	want.Master = nil // it is the declared one
	steps, err := netcfg.Plan(&want, d)
	if err != nil {
		return report("it differs from its declaration"+place+": "+err.Error(),
			"it was created by hand, or the file has changed since")
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
			"or it went down, which removes IPv6 addresses and routes")
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
