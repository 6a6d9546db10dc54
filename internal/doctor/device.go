package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/netns"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// absent reports that the named device does not exist, and looks for it in other network namespaces and under similar
// names.
func absent(v *view) []Finding {
	if v.Device == "" || len(v.devices) > 0 {
		return nil
	}
	if other := v.link(v.Device); other != nil {
		return one(Error, words.Escape(v.Device)+" is "+other.KindWords()+", not a TUN/TAP device",
			"no program can attach to it",
			fix.Sentence("choose another name: tunadm list prints the existing devices"))
	}
	what := "there is no device " + words.Escape(v.Device)
	means := "a program without CAP_NET_ADMIN cannot create a device; it can only attach to an existing one"
	var names []string
	for _, l := range v.every() {
		if l.Kind == "tun" {
			names = append(names, l.Name)
		}
	}
	var fixes []fix.Fix
	if d := v.declaration(v.Device); d.Spec != nil && v.Netns == "" {
		what += ", which is declared (" + d.Place + ")"
		why := ""
		if why, fixes = v.applied(d); why != "" {
			what += ", and " + why
		}
	}
	if near := words.Nearest(v.Device, names); near != "" {
		what += ", but there is " + words.Escape(near)
		fixes = append(fixes, fix.Run(fix.Tunadm("doctor", near)))
	}
	if elsewhere := namespacesWith(v.Device); len(elsewhere) > 0 {
		if what == "there is no device "+words.Escape(v.Device) {
			what += " in this network namespace, but another one has it: "
		} else {
			what += "; another network namespace has it: "
		}
		labels := make([]string, len(elsewhere))
		for i, called := range elsewhere {
			labels[i] = netns.Label(called)
		}
		what += words.Escape(strings.Join(labels, ", "))
		means = "a device is visible only in its own network namespace"
		fixes = append(fixes, fix.Run(fix.Tunadm("doctor", v.Device, "--netns", elsewhere[0])))
	}
	var flags []string
	if link.ModeOf(v.Device) == 0 {
		flags = append(flags, "--mode", "tun")
	}
	if v.User != "" || !v.person.Admin {
		flags = append(flags, "--user", v.person.ID.String())
	}
	return one(Error, what, means, append(fixes, fix.Run(fix.Tunadm("add", v.Device, flags...)))...)
}

// modeOfName finds a tun whose name begins with tap, and the reverse.
func modeOfName(v *view) []Finding {
	d := v.device
	called := link.ModeOf(d.Name)
	if called == 0 || called == d.Mode {
		return nil
	}
	what := fmt.Sprintf("it is a %s, but its name begins with %s", d.Mode, called)
	means := "a program that derives the mode from the name gets \"invalid argument\" when it attaches"
	if d.Up || d.MultiQueue || d.MTU != 1500 || d.Alias != "" || d.Master != "" || len(d.Addresses) > 0 || d.InUse() ||
		v.hasRoutes(d) {
		return one(Warning, what, means,
			fix.Sentence("the mode cannot be changed after creation: "+
				"delete the device and re-create it with its properties (tunadm export prints them)"))
	}
	flags := slices.Concat([]string{"--mode", called.String()}, keepUser(d), keepGroup(d))
	return one(Warning, what, means,
		fix.Run(fix.Tunadm("delete", d.Name), fix.Tunadm("add", d.Name, flags...)))
}

// queues reports whether a program must ask for several queues.
func queues(v *view) []Finding {
	d := v.device
	kind := "it is single-queue: a program that attaches with IFF_MULTI_QUEUE gets \"invalid argument\""
	if d.MultiQueue {
		kind = "it is multi-queue: a program that attaches without IFF_MULTI_QUEUE gets \"invalid argument\""
	}
	switch {
	case d.InUse():
		kind += "; " + d.UsedBy()
	case d.MultiQueue && v.User != "":
		return one(Unknown, "whether the program requests several queues", kind)
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
		fix.Sentence("start the program again"),
		fix.Fix{Commands: []fix.Command{fix.Tunadm("delete", d.Name)}, After: "  # if it is no longer needed"})
}

// leftRules finds policy rules that name a device that does not exist.
func leftRules(v *view) (found []Finding) {
	for _, r := range v.policies {
		if !r.Detached {
			continue
		}
		absent := r.In
		if absent == "" || v.link(absent) != nil {
			absent = r.Out
		}
		found = append(found, Finding{Level: Warning, Device: absent, Place: "pref " + strconv.Itoa(int(r.Priority)),
			What:  "it does not exist, but a policy rule names it: " + r.Words(),
			Means: "the rule takes effect again as soon as a device of that name exists", Fixes: []fix.Fix{r.Delete()}})
	}
	return opinion(found)
}

// namespacesWith returns the other network namespaces that have a TUN/TAP device of that name, as [netns.Others]
// returns them.
func namespacesWith(name string) []string {
	return netns.Others(holders.End(), func(string) bool {
		other, err := netcfg.Open("")
		if err != nil {
			return false
		}
		defer other.Close()
		found, err := other.Links(name)
		return err == nil && found[0] != nil && found[0].Kind == "tun"
	})
}

// loopbackDown finds the loopback device down, as in a new network namespace.
func loopbackDown(v *view) []Finding {
	lo := v.link("lo")
	if lo == nil || lo.Up || len(v.devices) == 0 {
		return nil
	}
	return one(Warning, "the loopback device lo is down", "packets from this host to its own addresses are lost",
		fix.Run(ip("link", "set", "dev", "lo", "up")))
}
