package doctor

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// driver checks whether the person can open the driver's node.
func driver(v *view) []Finding {
	err := v.person.OpenDriver()
	if err == nil {
		return append(v.ownersDriver(), ok(words.Escape(v.person.ID.String())+" can open /dev/net/tun")...)
	}
	found := known(Error, err)
	found[0].Means = "no device can be created, and no program can attach to one"
	if !v.person.Self {
		found[0].Means = words.Escape(v.person.ID.String()) + " cannot attach to any device"
	}
	return found
}

// ownersDriver checks, once for each owner of a device, whether the owner can open the driver's node.
func (v *view) ownersDriver() (found []Finding) {
	asked := map[string]bool{v.person.ID.Name: true}
	for _, d := range v.devices {
		owner := d.Access.User
		if owner == nil || owner.Name == "" || asked[owner.Name] {
			continue
		}
		asked[owner.Name] = true
		person, err := v.find(owner.Name)
		if err == nil {
			err = person.OpenDriver()
		}
		if err != nil {
			f := known(Error, err)[0]
			f.Means = fmt.Sprintf("%s, the owner of %s, cannot attach", words.Escape(owner.Name),
				words.Escape(d.Name))
			found = append(found, f)
		}
	}
	return found
}

// find returns a user, and looks each one up only once.
func (v *view) find(name string) (users.Person, error) {
	if known, there := v.people[name]; there {
		return known, nil
	}
	person, err := v.namespace.Directory.Person(name)
	if err == nil {
		v.people[name] = person
	}
	return person, err
}

// create checks whether the person may create devices, or attach to an existing one.
func create(v *view) []Finding {
	who := words.Escape(v.person.ID.String())
	if v.person.Admin {
		return ok(who + " may create devices")
	}
	admitted := func(d *netcfg.Device) bool { return d.Access.Admits(v.person) }
	if v.Device != "" || slices.ContainsFunc(v.devices, admitted) {
		return nil
	}
	if v.person.Self && v.person.ID.Number == 0 {
		return one(Warning, who+" may not create devices here",
			"creating a device requires CAP_NET_ADMIN over this network namespace", surroundings.AsRoot())
	}
	return one(Warning, who+" may not create devices, and may not attach to any existing one",
		"creating a device requires CAP_NET_ADMIN over this network namespace; attaching does not",
		fix.Run(fix.Tunadm("add", "", "--mode", "tun", "--user", v.person.ID.String())))
}

// admit returns the fix that lets the person attach, and whether the person joins a group by it.
func (v *view) admit() (how fix.Fix, joins bool) {
	d, id, group := v.device, v.person.ID, v.device.Access.Group
	own := fix.Tunadm("set", d.Name, append([]string{"--user", id.String()}, keepGroup(d)...)...)
	if group == nil || slices.Contains(v.person.Groups, group.Number) {
		return fix.Run(own), false
	}
	if how, joins = joinGroup(id, *group); joins && d.Access.User != nil && d.Access.User.Number != id.Number {
		how.Commands = append([]fix.Command{own}, how.Commands...)
	}
	return how, joins
}

// keepGroup returns the flag that keeps the group of a device. A group cannot be removed.
func keepGroup(d *netcfg.Device) []string {
	if d.Access.Group == nil {
		return nil
	}
	return []string{"--group", d.Access.Group.String()}
}

// joinGroup returns the command that adds a user to a group. Without a name of each it returns a sentence, and false.
func joinGroup(who, group users.ID) (how fix.Fix, joins bool) {
	if who.Name == "" || group.Name == "" {
		return fix.Sentence("give the user and the group a name: useradd(8), groupadd(8)"), false
	}
	return fix.Run(fix.ByRoot("usermod", "-aG", group.Name, who.Name)), true
}

// impossibleAccess finds an owner who is not in the group of the device.
func impossibleAccess(v *view) []Finding {
	d := v.device
	owner, group := d.Access.User, d.Access.Group
	if owner == nil || group == nil || owner.Name == "" {
		return nil
	}
	person, err := v.find(owner.Name)
	if err != nil || d.Access.Admits(person) {
		return nil
	}
	fix, _ := joinGroup(*owner, *group)
	if group.Name == "" {
		fix = v.otherGroup()
	}
	return one(Error,
		fmt.Sprintf("its owner %s is not in its group %s", words.Escape(owner.Name), words.Escape(group.String())),
		"the kernel requires both, so only root may attach; a new group membership takes effect at the next login", fix)
}

// unknownIDs finds an owner and a group without a name. An owner whose program is attached is known somewhere, such as
// in a container.
func unknownIDs(v *view) (found []Finding) {
	d := v.device
	if !v.namespace.Directory.Answers() {
		return nil // the name service may know them
	}
	attached := func(h netcfg.Holder) bool { return h.User.Number == d.Access.User.Number }
	if u := d.Access.User; u != nil && u.Name == "" && !slices.ContainsFunc(d.Holders, attached) {
		found = append(found, one(Warning, fmt.Sprintf("its owner is UID %d, which no user has", u.Number),
			"a new user may get this UID, and with it access to the device",
			fix.Run(fix.Tunadm("set", d.Name, append([]string{"--user", "root"}, keepGroup(d)...)...)))...)
	}
	if g := d.Access.Group; g != nil && g.Name == "" {
		found = append(found, one(Warning, fmt.Sprintf("its group is GID %d, which no group has", g.Number),
			"a new group may get this GID, and with it access to the device",
			v.otherGroup())...)
	}
	return opinion(found)
}

// otherGroup returns the command that gives the device a group of its owner.
func (v *view) otherGroup() fix.Fix {
	d, group := v.device, "root"
	if u := d.Access.User; u != nil {
		if owner, err := v.find(u.String()); err == nil && len(owner.Groups) > 0 {
			group = strconv.FormatUint(uint64(owner.Groups[0]), 10)
		}
	}
	return fix.Run(fix.Tunadm("set", d.Name, append(keepUser(d), "--group", group)...))
}

// keepUser returns the flag that keeps the owner of a device. An owner cannot be removed.
func keepUser(d *netcfg.Device) []string {
	if d.Access.User == nil {
		return nil
	}
	return []string{"--user", d.Access.User.String()}
}

// anyone finds a device that has neither an owner nor a group.
func anyone(v *view) []Finding {
	d := v.device
	switch {
	case d.Access != (users.Access{}) || !d.Persist:
		return nil
	case d.InUse() && !d.MultiQueue:
		return ok("it has neither an owner nor a group, and its only queue is in use: no other user may attach now")
	}
	owner := "root"
	if v.Device != "" && !v.person.Admin {
		owner = v.person.ID.String()
	}
	return opinion(one(Warning, "it has neither an owner nor a group",
		"every local user who can open /dev/net/tun may attach to it and become its owner",
		fix.Run(fix.Tunadm("set", d.Name, "--user", owner))))
}
