package doctor

import (
	"fmt"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// absent reports that the named device does not exist, and looks for it in other network namespaces and under similar names.
func absent(v *view) []Finding {
	if v.Device == "" || len(v.devices) > 0 {
		return nil
	}
	if other := v.network.Link(v.Device); other != nil {
		return one(Fault, netcfg.Escape(v.Device)+" is "+other.KindWords()+", not a TUN/TAP device", "no program can attach to it",
			"choose another name: tunadm list prints the existing devices")
	}
	what := "there is no device " + netcfg.Escape(v.Device)
	if elsewhere := v.namespace.Elsewhere(v.Device); len(elsewhere) > 0 {
		return one(Fault, what+" in this network namespace, but another one has it: "+netcfg.Escape(strings.Join(elsewhere, ", ")),
			"a device is visible only in its own network namespace", "tunadm doctor "+netcfg.Word(v.Device)+" --netns "+netcfg.Word(elsewhere[0]))
	}
	var names []string
	for _, l := range v.network.Links {
		if l.Kind == "tun" {
			names = append(names, l.Name)
		}
	}
	means := "a program without CAP_NET_ADMIN cannot create a device; it can only attach to an existing one"
	var mend []string
	if near := netcfg.Nearest(v.Device, names); near != "" {
		what += ", but there is " + netcfg.Escape(near)
		mend = []string{"tunadm doctor " + netcfg.Word(near)}
	}
	add := "tunadm add " + netcfg.Word(v.Device)
	if netcfg.ModeOf(v.Device) == 0 {
		add += " --mode tun"
	}
	if v.User != "" || !v.person.Admin {
		add += " --user " + netcfg.Word(v.person.ID.String())
	}
	return one(Fault, what, means, append(mend, add)...)
}

// modeOfName finds a tun whose name begins with tap, and the reverse.
func modeOfName(v *view) []Finding {
	d := v.device
	called := netcfg.ModeOf(d.Name)
	if called == 0 || called == d.Mode {
		return nil
	}
	name := netcfg.Word(d.Name)
	what := fmt.Sprintf("it is a %s, but its name begins with %s", d.Mode, called)
	means := "a program that derives the mode from the name gets \"invalid argument\" when it attaches"
	if d.Up || d.MultiQueue || d.MTU != 1500 || d.Alias != "" || d.Master != "" || len(d.Addresses)+len(d.Routes) > 0 || d.InUse() {
		return one(Warning, what, means,
			"the mode cannot be changed after creation: delete the device and re-create it with its properties (tunadm export prints them)")
	}
	return one(Warning, what, means,
		fmt.Sprintf("tunadm delete %s && tunadm add %s --mode %s%s%s", name, name, called, keepUser(d), keepGroup(d)))
}

// queues reports whether a program must ask for several queues.
func queues(v *view) []Finding {
	d := v.device
	kind := "it is single-queue: a program that attaches with IFF_MULTI_QUEUE gets \"invalid argument\""
	if d.MultiQueue {
		kind = "it is multi-queue: a program that attaches without IFF_MULTI_QUEUE gets \"invalid argument\""
	}
	if d.InUse() {
		kind += "; " + d.UsedBy()
	}
	return ok(kind)
}

// leftOver finds a device that a program used, and to which no program is attached now.
func leftOver(v *view) []Finding {
	d := v.device
	if d.InUse() || !d.Persist || d.Stats.RxPackets == 0 {
		return nil
	}
	what := "a program wrote " + packets(d.Stats.RxPackets) + " to it, but no program is attached now"
	if v.Device == "" {
		return ok(what)
	}
	return one(Warning, what, "the program ended, or attached to another device",
		"start the program again", "tunadm delete "+netcfg.Word(d.Name)+", if it is no longer needed")
}

// leftRules finds policy rules that name a device that does not exist.
func leftRules(v *view) (found []Finding) {
	for _, r := range v.network.Rules {
		if !r.Detached {
			continue
		}
		found = append(found, one(Warning, "a policy rule names a device that does not exist: "+r.Words(),
			"the rule takes effect again as soon as a device of that name exists", r.Delete())...)
	}
	return found
}
