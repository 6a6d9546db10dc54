package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// detached finds programs that have the driver open without a device while the named device is idle: the device that
// they were attached to was deleted.
func detached(v *view) []Finding {
	if d := v.device; !v.asked() || d.InUse() || v.names == nil {
		return nil
	}
	var programs []string
	openers, _ := v.programsWithDriver()
	here := files.Inode("/proc/thread-self/ns/net")
	for _, o := range openers {
		directory := "/proc/" + strconv.Itoa(o.pid)
		if slices.ContainsFunc(o.devices, func(name string) bool { return name != "" }) ||
			files.Inode(directory+"/ns/net") != here {
			continue
		}
		comm, _ := v.file(directory + "/comm")
		programs = append(programs, fmt.Sprintf("%s (pid %d)", words.Escape(strings.TrimSpace(string(comm))), o.pid))
	}
	if len(programs) == 0 {
		return nil
	}
	return one(Warning, "the driver is open, but attached to no device, in "+strings.Join(programs, ", "),
		"the device that it was attached to was deleted and re-created, so its reads and writes fail with "+
			"\"file descriptor in bad state\"; or it has not attached yet",
		fix.Sentence("restart the program"))
}

// besides finds a program that created a device of its own while the named device waits for it.
func besides(v *view) []Finding {
	d := v.device
	if v.Device == "" || d.InUse() || !d.Persist {
		return nil
	}
	prefix := func(name string) string { return strings.TrimRight(name, "0123456789") }
	for _, o := range v.inUse() {
		if o.Persist || o.Mode != d.Mode || o.Index < d.Index || !o.InUse() {
			continue
		}
		owns := func(h netcfg.Holder) bool {
			return d.Access.User != nil && h.User.Number == d.Access.User.Number ||
				v.User != "" && h.User.Number == v.person.ID.Number
		}
		if prefix(o.Name) != prefix(d.Name) && !slices.ContainsFunc(o.Holders, owns) {
			continue
		}
		return one(Warning, words.Escape(o.Name)+", which a program created for itself, is "+o.UsedBy(),
			"the program may have been meant to attach to "+words.Escape(d.Name)+
				": it creates a device if it requests another name, or none",
			fix.Sentence("configure the name "+words.Escape(d.Name)+" in the program, such as dev "+
				words.Escape(d.Name)+" for openvpn"))
	}
	return nil
}
