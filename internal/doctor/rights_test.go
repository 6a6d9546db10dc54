package doctor

import (
	"testing"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// owned returns an idle tun with this access.
func owned(user, group *users.ID) *netcfg.Device {
	return tun0(idle, func(d *netcfg.Device) { d.Access = users.Access{User: user, Group: group} })
}

// The persons of the questions.
var (
	daemon   = users.ID{Number: 1, Name: "daemon"}
	stray    = users.ID{Number: 4711}
	user     = users.Person{ID: kim, Groups: []uint32{1000}}
	member   = users.Person{ID: kim, Groups: []uint32{1000, 100}}
	root     = users.Person{ID: users.ID{Name: "root"}, Admin: true, Self: true}
	confined = users.Person{Self: true, ID: users.ID{Name: "root"}}
	asked    = Question{Device: "tun0", User: "kim"}
)

func TestAccessChecks(t *testing.T) {
	checkAll(t, map[string]situation{
		"root creates":         {look: create, device: tun0(), person: root, want: "ok"},
		"a user with a device": {look: create, device: owned(&kim, nil), person: user},
		"a user without a device": {look: create, device: owned(&daemon, nil), person: user,
			want: "warning kim may not create devices, and may not attach to any existing one",
			fix:  "tunadm add --mode tun --user kim"},
		"root without capabilities": {look: create, device: owned(&daemon, nil), person: confined,
			want: "warning root may not create devices here", fix: surroundings.AsRoot().String()},

		"nobody asked": {look: attach, device: owned(&daemon, nil), person: user},
		"the owner":    {look: attach, device: owned(&kim, nil), person: user, question: asked, want: "ok"},
		"not the owner": {look: attach, device: owned(&daemon, nil), person: user, question: asked,
			want: "error kim may not attach to it", fix: "tunadm set tun0 --user kim"},
		"not in the group": {look: attach, device: owned(nil, &kvms), person: user, question: asked,
			want: "error kim may not attach to it", fix: "usermod -aG kvms kim"},
		"in the group": {look: attach, device: owned(nil, &kvms), person: member, question: asked, want: "ok"},
		"in the group, not the owner": {look: attach, device: owned(&daemon, &kvms), person: member, question: asked,
			want: "error kim may not attach to it", fix: "tunadm set tun0 --user kim --group kvms"},
		"neither": {look: attach, device: owned(&daemon, &kvms), person: user, question: asked,
			want: "error kim may not attach to it",
			fix:  "tunadm set tun0 --user kim --group kvms && usermod -aG kvms kim"},
		"a group without a name": {look: attach, device: owned(nil, &stray), person: user, question: asked,
			want: "error kim may not attach to it", fix: "give the user and the group a name: useradd(8), groupadd(8)"},
		"any device": {look: attach, device: owned(&daemon, nil), person: user, question: Question{User: "kim"}},
		"in use by another user": {look: attach, person: user, question: asked,
			device: tun0(func(d *netcfg.Device) {
				d.Holders = []netcfg.Holder{{PID: 77, Command: "vpnd", User: daemon, Queues: 1}}
			}),
			want: "error in use by vpnd (pid 77, user daemon)", fix: "stop that program first"},
		"in use by the user": {look: attach, device: tun0(), person: user, question: asked, want: "ok"},
		"in use, multi-queue": {look: attach, person: user, question: asked, want: "ok",
			device: tun0(func(d *netcfg.Device) { d.MultiQueue, d.Holders = true, nil })},
	})
}

func TestOwnerAndModeChecks(t *testing.T) {
	checkAll(t, map[string]situation{
		"no owner, no group": {look: anyone, device: owned(nil, nil), person: root,
			want: "warning it has neither an owner nor a group", fix: "tunadm set tun0 --user root"},
		"no owner, no group, asked for a user": {look: anyone, device: owned(nil, nil), person: user, question: asked,
			want: "warning it has neither an owner nor a group", fix: "tunadm set tun0 --user kim"},
		"no owner, no group, in use": {look: anyone, want: "ok",
			device: tun0(func(d *netcfg.Device) { d.Access = users.Access{} })},
		"no owner, no group, more queues": {look: anyone, person: root, device: tun0(func(d *netcfg.Device) {
			d.MultiQueue, d.Access = true, users.Access{}
		}), want: "warning it has neither an owner nor a group", fix: "tunadm set tun0 --user root"},
		"an owner": {look: anyone, device: owned(&kim, nil), person: root},
		"not persistent": {look: anyone,
			device: tun0(func(d *netcfg.Device) { d.Persist, d.Access = false, users.Access{} })},

		"a tun": {look: modeOfName, device: tun0(idle)},
		"a tap with the name of a tun": {look: modeOfName,
			device: tun0(idle, func(d *netcfg.Device) {
				d.Mode, d.Up, d.Addresses, d.Access.Group = link.TAP, false, nil, &kvms
			}),
			want: "warning it is a tap, but its name begins with tun",
			fix:  "tunadm delete tun0 && tunadm add tun0 --mode tun --user kim --group kvms"},
		"a configured tap with the name of a tun": {look: modeOfName,
			device: tun0(idle, func(d *netcfg.Device) { d.Mode = link.TAP }),
			want:   "warning it is a tap, but its name begins with tun",
			fix: "the mode cannot be changed after creation: " +
				"delete the device and re-create it with its properties (tunadm export prints them)"},
	})
}

// TestAccessOfOwners: the owner is looked up among the users of the machine.
func TestAccessOfOwners(t *testing.T) {
	for _, c := range []struct {
		groups    []uint32
		want, fix string
	}{
		{[]uint32{1000, 100}, "", ""},
		{[]uint32{1000}, "its owner kim is not in its group kvms", "usermod -aG kvms kim"},
	} {
		v := situation{device: owned(&kim, &kvms)}.view()
		v.people["kim"] = users.Person{ID: kim, Groups: c.groups}
		found := impossibleAccess(v)
		if c.want == "" && len(found) == 0 {
			continue
		}
		if len(found) != 1 || found[0].What != c.want || found[0].Fixes[0].String() != c.fix {
			t.Errorf("groups %v: got %v, want %s, fix %s", c.groups, found, c.want, c.fix)
		}
	}
}

// TestFixesForTheReader: a fix is for the namespace of the question, and for the rights of the reader.
func TestFixesForTheReader(t *testing.T) {
	v := situation{device: tun0(idle, func(d *netcfg.Device) { d.Up = false }),
		question: Question{Netns: "/proc/7/ns/net"}}.view()
	for _, c := range []struct {
		admin bool
		want  string
	}{
		{true, "nsenter --net=/proc/7/ns/net tunadm set tun0 --up"},
		{false, "ask root for: nsenter --net=/proc/7/ns/net tunadm set tun0 --up"},
	} {
		v.admin = c.admin
		found := v.ask([]check{{"down", down}})
		if len(found) != 1 || found[0].Check != "down" || found[0].Device != "tun0" ||
			found[0].Fixes[0].String() != c.want {
			t.Errorf("admin %v: got %v, want %s", c.admin, found, c.want)
		}
	}
}
