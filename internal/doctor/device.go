package doctor

import (
	"fmt"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// absent looks for the device that is asked for, and where else it may be.
func absent(v *view) []Finding {
	if v.Device == "" || len(v.devices) > 0 {
		return nil
	}
	if other := v.network.Link(v.Device); other != nil {
		return one(Fault, netcfg.Escape(v.Device)+" is "+other.KindWords()+", not a TUN/TAP device", "no program can attach to it", "choose another name: tunadm list shows those that there are")
	}
	what := "there is no device " + netcfg.Escape(v.Device)
	if elsewhere := v.namespace.Elsewhere(v.Device); len(elsewhere) > 0 {
		return one(Fault, what+" in this network namespace, but in another one: "+netcfg.Escape(strings.Join(elsewhere, ", ")),
			"a device is only seen in the network namespace that it is in", "tunadm doctor "+netcfg.Word(v.Device)+" --netns "+netcfg.Word(elsewhere[0]))
	}
	var names []string
	for _, l := range v.network.Links {
		if l.Kind == "tun" {
			names = append(names, l.Name)
		}
	}
	means := "a program that is not root's cannot make it, and can only attach to one that is there"
	var mend []string
	if near := netcfg.Nearest(v.Device, names); near != "" {
		what += "; there is " + netcfg.Escape(near)
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

// modeOfName looks for a tun that is called tap, and the reverse.
func modeOfName(v *view) []Finding {
	d := v.device
	called := netcfg.ModeOf(d.Name)
	if called == 0 || called == d.Mode {
		return nil
	}
	name := netcfg.Word(d.Name)
	what, means := fmt.Sprintf("it is a %s, and its name says %s", d.Mode, called), "a program that goes by the name gets \"invalid argument\" when it attaches"
	if d.Up || d.MultiQueue || d.MTU != 1500 || d.Alias != "" || d.Master != "" || len(d.Addresses)+len(d.Routes) > 0 || d.InUse() {
		return one(Warning, what, means, "a mode is for life: delete it, and make it again with all that it has (tunadm export shows that)")
	}
	return one(Warning, what, means,
		fmt.Sprintf("tunadm delete %s && tunadm add %s --mode %s%s%s", name, name, called, keepUser(d), keepGroup(d)))
}

// queues tells what a program must ask for.
func queues(v *view) []Finding {
	d := v.device
	kind := "it has one queue: a program that asks for several gets \"invalid argument\""
	if d.MultiQueue {
		kind = "it has several queues: a program that does not ask for that gets \"invalid argument\""
	}
	if d.InUse() {
		kind += "; " + d.UsedBy()
	}
	return ok(kind)
}

// leftOver looks for a device that a program has used and left.
func leftOver(v *view) []Finding {
	d := v.device
	if d.InUse() || !d.Persist || d.Stats.RxPackets == 0 {
		return nil
	}
	what := "a program that is gone wrote " + packets(d.Stats.RxPackets) + " to it, and nobody is attached"
	if v.Device == "" {
		return ok(what)
	}
	return one(Warning, what, "the program has ended, or attached to another device", "start it again", "tunadm delete "+netcfg.Word(d.Name)+", if nobody needs it")
}

// leftRules looks for policy rules that name a device which is gone.
func leftRules(v *view) (found []Finding) {
	for _, r := range v.network.Rules {
		if !r.Detached {
			continue
		}
		found = append(found, one(Warning, "a policy rule names a device that is not there: "+r.Words(), "it takes effect again as soon as there is any device of that name", r.Delete())...)
	}
	return found
}
