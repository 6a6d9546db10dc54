package doctor

import (
	"os"
	"path/filepath"
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
	here := files.Inode("/proc/thread-self/ns/net")
	var programs []string
	for _, entry := range v.names("/proc") {
		directory := "/proc/" + entry
		if _, err := strconv.Atoi(entry); err != nil || files.Inode(directory+"/ns/net") != here ||
			!v.holdsNothing(directory) {
			continue
		}
		comm, _ := v.file(directory + "/comm")
		programs = append(programs, words.Escape(strings.TrimSpace(string(comm)))+" (pid "+entry+")")
	}
	if len(programs) == 0 {
		return nil
	}
	return one(Warning, "the driver is open, but attached to no device, in "+strings.Join(programs, ", "),
		"the device that it was attached to was deleted and re-created, so its reads and writes fail with "+
			"\"file descriptor in bad state\"; or it has not attached yet",
		fix.Sentence("restart the program"))
}

// holdsNothing reports whether a process has the driver open, and no file of it is attached to a device. The names of
// its files are read first, so no file of another file system is asked.
func (v *view) holdsNothing(directory string) bool {
	open := false
	for _, fd := range v.names(directory + "/fd") {
		to, err := os.Readlink(directory + "/fd/" + fd)
		if err != nil || filepath.Base(to) != "tun" {
			continue
		}
		info, err := v.file(directory + "/fdinfo/" + fd)
		for line := range strings.Lines(string(info)) {
			if device, is := strings.CutPrefix(line, "iff:"); is && err == nil {
				if strings.TrimSpace(device) != "" {
					return false
				}
				open = true
			}
		}
	}
	return open
}

// besides finds a program that created a device of its own while the named device waits for it.
func besides(v *view) []Finding {
	d := v.device
	if v.Device == "" || d.InUse() || !d.Persist {
		return nil
	}
	prefix := func(name string) string { return strings.TrimRight(name, "0123456789") }
	for _, o := range v.all {
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
