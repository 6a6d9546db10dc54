package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// detached finds programs that have the driver open without a device while the named device is idle: they could not
// attach, or the device that they were attached to was deleted.
func detached(v *view) []Finding { return append(v.withoutDevice(), v.notSearched()...) }

// withoutDevice finds the programs for detached.
func (v *view) withoutDevice() []Finding {
	d := v.device
	if !v.expectsProgram() || d.InUse() || v.names == nil {
		return nil
	}
	var programs []string
	refused := false
	openers, _ := v.programsWithDriver()
	here := files.Inode("/proc/thread-self/ns/net")
	for _, o := range openers {
		directory := "/proc/" + strconv.Itoa(o.pid)
		p, _ := v.process(o.pid)
		meant := mentions(p.line, d.Name)
		other := slices.ContainsFunc(o.devices, func(name string) bool { return name != "" })
		if !slices.Contains(o.devices, "") || other && !meant || files.Inode(directory+"/ns/net") != here {
			continue
		}
		refused = refused || meant
		comm, _ := v.file(directory + "/comm")
		programs = append(programs, fmt.Sprintf("%s (pid %d)", words.Escape(strings.TrimSpace(string(comm))), o.pid))
	}
	if len(programs) == 0 {
		return nil
	}
	restart := fix.Sentence("restart the program")
	what := "the driver is open, but attached to no device, in " + strings.Join(programs, ", ")
	if refused {
		return one(Warning, what+", whose command line names "+words.Escape(d.Name),
			"it could not attach, or the device was deleted and re-created since: "+attachErrors(d),
			restart, fix.Sentence("if it still does not attach, compare what it requests with the device: tunadm show "+
				words.Escape(d.Name)))
	}
	return one(Warning, what,
		"it has not attached yet, or the device that it was attached to was deleted: its reads and writes fail with "+
			"\"file descriptor in bad state\"", restart)
}

// mentions reports whether a word of a command line is a name, such as tap0 in ifname=tap0,script=no.
func mentions(line, name string) bool {
	return slices.Contains(strings.FieldsFunc(line, func(r rune) bool {
		return r < ' ' || strings.ContainsRune(" ,=:/;\"'{}[]", r)
	}), name)
}

// attachErrors returns the errors that a program gets which requests something else than the device is.
func attachErrors(d *netcfg.Device) string {
	other := map[link.Mode]string{link.TUN: "a tap", link.TAP: "a tun"}[d.Mode]
	kind, queues := "single-queue ", "several queues (IFF_MULTI_QUEUE, queues=2)"
	if d.MultiQueue {
		kind, queues = "multi-queue ", "one queue"
	}
	text := fmt.Sprintf("it is a %s%s: a program that requests %s or %s gets \"invalid argument\"",
		kind, d.Mode, other, queues)
	if d.Access.User != nil || d.Access.Group != nil {
		text += "; only " + d.Access.Words() + " may attach, others get \"operation not permitted\""
	}
	return text
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
