package netcfg

import "math/rand/v2"

// The engine moves devices that it deletes together into an unused link group. The group's number also encodes the
// previous group. If a run is killed before it deletes them, the next change of such a device restores the group.
const (
	doomMark  = 0x75 << 24
	doomMask  = 0xff << 24
	groupBits = 12 // bits of the previous group; above them a random number
	groupMask = 1<<groupBits - 1
)

// undoomed returns the link group that a device had before a killed run, and whether there was such a run.
func undoomed(group uint32) (uint32, bool) {
	if group&doomMask == doomMark {
		return group & groupMask, true
	}
	return group, false
}

// deleteClaimed deletes all devices that have no error yet: those of one link group in one request, others one by one.
func (ns *Namespace) deleteClaimed(devices []*doomed) {
	together := map[uint32][]*doomed{}
	var singly []*doomed
	for _, d := range devices {
		if was, _ := undoomed(d.group); d.err == nil && was <= groupMask {
			d.group = was
			together[was] = append(together[was], d)
		} else if d.err == nil {
			singly = append(singly, d)
		}
	}
	for was, members := range together {
		singly = append(singly, ns.deleteTogether(members, was)...)
	}
	for _, d := range singly {
		d.err = ns.deleteSingly(d)
	}
}

// linksForOne is the number of links that can be read twice, for a group, while the kernel deletes one device.
const linksForOne = 1250

// deleteTogether deletes devices that were in one link group, and returns those that must be deleted singly: all, if
// that is faster beside very many others. It deletes no group with any other member.
func (ns *Namespace) deleteTogether(devices []*doomed, was uint32) (singly []*doomed) {
	if len(devices) < 2 {
		return devices
	}
	group, err := unusedGroup(was, linksForOne*(len(devices)-1))
	if err != nil {
		return devices
	}
	var members, strays []*doomed
	for i, err := range ns.setGroups(devices, group) {
		d := devices[i]
		if d.fd >= 0 && err == nil {
			d.err = ns.checkUnused(d.Device)
		}
		switch {
		case d.err != nil:
			strays = append(strays, d)
		case err != nil:
			strays, singly = append(strays, d), append(singly, d)
		default:
			members = append(members, d)
		}
	}
	ns.setGroups(strays, was)
	if ns.alone(members, group) {
		if err = ns.deleteGroup(group); err == nil {
			return singly
		}
		for _, d := range members {
			if d.err = ns.unlessGone(d, err); d.err != nil {
				ns.setGroups([]*doomed{d}, was)
			}
		}
		return singly
	}
	ns.setGroups(members, was)
	return append(singly, members...)
}

// alone reports whether a group contains these devices and nothing else. It observes each device, because an index may
// belong to another device by now.
func (ns *Namespace) alone(members []*doomed, group uint32) bool {
	links, err := ns.dumpLinks(false, false)
	byIndex := make(map[int]*doomed, len(members))
	for _, d := range members {
		byIndex[d.Index] = d
	}
	n := 0
	for _, l := range links {
		if l.group != group {
			continue
		}
		if d := byIndex[l.Index]; d == nil || !d.is(l) {
			return false
		}
		n++
	}
	return err == nil && n == len(members) && n > 0
}

// unusedGroup returns a link group without a member. It is random, so no other program chooses it in the meantime. It
// returns an error if there are that many links.
func unusedGroup(was uint32, most int) (uint32, error) {
	links, err := someLinks(most, false)
	if len(links) >= most {
		return 0, errBusy
	}
	used := map[uint32]bool{}
	for _, l := range links {
		used[l.group] = true
	}
	group := uint32(0)
	for range 64 {
		if group = doomMark | rand.Uint32N(1<<(24-groupBits))<<groupBits | was; !used[group] {
			return group, err
		}
	}
	return 0, errBusy
}
