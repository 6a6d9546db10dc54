package convert

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/standin"
)

// request creates or deletes a device.
func (h *host) request(r *standin.Request) error {
	name := r.Spec.Name
	if r.Ask == standin.Delete {
		_ = h.remove(name) // these tools exit 0 if the device does not exist
		return nil
	}
	if link.IsTemplate(name) {
		name = h.free(name)
	}
	d := h.device(name)
	if d != nil && d.Mode != r.Spec.Mode || h.bridge(name) != nil {
		return fmt.Errorf("%s exists already", name)
	}
	if d == nil {
		d = &device{Spec: r.Spec}
		d.Name = name
		down := false
		if d.Up = &down; d.MultiQueue != nil && !*d.MultiQueue {
			d.MultiQueue = nil // the default
		}
		h.devices = append(h.devices, d)
	}
	if name != r.Spec.Name {
		d.note("the kernel chooses the name: " + name + " is the first one that is free")
	}
	d.own(r)
	return nil
}

// own sets who may attach. A line that takes over a device keeps the owner and the group that it does not name. An
// unknown owner is root.
func (d *device) own(r *standin.Request) {
	root := "root"
	if user := r.Access.User; user != nil && (r.RootOwns() || !standin.Known(*user)) {
		d.Access.User = &root
	} else if user != nil {
		d.Access.User = user
	}
	if group := r.Access.Group; group != nil && standin.Known(*group) {
		d.Access.Group = group
	} else if group != nil && d.Access.User == nil {
		d.Access.User = &root
	}
	d.Access.Anyone = d.Access.User == nil && d.Access.Group == nil
}

// free returns the name that the kernel makes from a template, if there are no other links.
func (h *host) free(template string) string {
	for n := 0; ; n++ {
		if name := strings.Replace(template, "%d", strconv.Itoa(n), 1); h.spec(name) == nil {
			return name
		}
	}
}
