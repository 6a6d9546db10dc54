package netcfg

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/internal/words"
)

// This file is the only place that interprets an errno of the tun driver or of netlink. It looks for the reason after
// the failure: the result explains an error, and decides nothing.

// explainCreate returns the reason why TUNSETIFF did not create a device, or why the device did not get its name.
func (ns *Namespace) explainCreate(name string, err error) error {
	e := &cause.Error{Device: name, Err: err}
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		e.Cause = cause.Exists
		if d, lookErr := ns.link(name, 0); lookErr == nil {
			e.Detail = "exists already, as " + d.KindWords()
		}
	case errors.Is(err, unix.EPERM):
		e.Cause, e.Fix = cause.NotPermitted, surroundings.AsRoot()
	case errors.Is(err, unix.ENFILE):
		e.Detail = "no number is left for " + name
	case errors.Is(err, unix.EINVAL):
		e.Detail = "the kernel does not accept the name or the mode"
	}
	return e
}

// explainAttach returns the reason why TUNSETIFF did not attach to a device that existed. Such a call never creates a
// device, so EBUSY means that the device is gone or in use.
func (ns *Namespace) explainAttach(d *Device, err error) error {
	e := &cause.Error{Device: d.Name, Err: err}
	switch now, lookErr := ns.link("", d.Index); {
	case cause.Gone(lookErr), lookErr == nil && now.Name != d.Name:
		return cause.Vanished(d.Name)
	case errors.Is(err, unix.EBUSY):
		return ns.Busy(d)
	case errors.Is(err, unix.EPERM):
		e.Cause, e.Fix = cause.NotOwner, surroundings.AsRoot()
		e.Detail = "only " + ns.named(d).Access.String() + " may attach"
		if user := d.Access.User; user != nil {
			e.Owner = user.String()
		}
	case errors.Is(err, unix.ENOMEM):
		e.Detail, e.Cause = fmt.Sprintf("the kernel has no memory for its queue of %d packets", d.TxQueueLen),
			cause.NoMemory
	case errors.Is(err, unix.E2BIG):
		e.Cause, e.Detail = cause.InUse, "all of its 256 queues are in use"
	}
	return e
}

// Busy returns the error of a device in use, with the programs that use it.
func (ns *Namespace) Busy(d *Device) *cause.Error {
	now := *d
	for range rounds { // another program that examines descriptors holds a queue for a moment after it was closed
		now.Holders, now.Queues = nil, max(d.Queues, 1)
		if ns.FindHolders([]*Device{&now}); !now.InUse() || len(now.Holders) > 0 || now.sight == holders.Cut {
			break
		}
	}
	e := busyError(ns.named(&now), "")
	e.Released = !now.InUse()
	return e
}

// named returns the device with the names of its users and groups.
func (ns *Namespace) named(d *Device) *Device {
	ns.NameAll([]*Device{d})
	return d
}

// explainStep returns the reason why the kernel refused a step. It returns an error with a known cause unchanged.
func (ns *Namespace) explainStep(s *task, err error) error {
	if s.Kind != StepHold && s.Device != "" && (s.Index != 0 && ns.absent(s.Index) || s.Index == 0 && cause.Gone(err)) {
		return cause.Vanished(s.Device)
	}
	if e := new(cause.Error); errors.As(err, &e) {
		if e.Device == "" {
			e.Device = s.Device
		}
		return e
	}
	e := &cause.Error{Device: s.Device, What: s.What(), Err: err}
	switch is := func(errno unix.Errno) bool { return errors.Is(err, errno) }; {
	case is(unix.EPERM) && s.properties().TxQueueLen != nil && surroundings.MayConfigure():
		e.Cause, e.Detail = cause.NoMemory, "the kernel has no memory for the queue of the attached program"
		e.Fix = fix.Sentence("choose a shorter queue, such as 1000")
	case is(unix.EPERM), s.Kind == StepSysctl && is(unix.EACCES):
		e.Cause, e.Fix = cause.NotPermitted, surroundings.AsRoot()
	case is(unix.ERANGE) && s.properties().Settings[rtnl.ForwardDelay] != nil:
		e.Detail, e.Err = "the bridge has STP, which requires 2 to 30 seconds", nil
	case is(unix.EOPNOTSUPP) && (s.vlan.ID != 0 || s.properties().Settings[rtnl.VLANFiltering] != nil):
		e.Cause, e.Err = cause.NoVLANs, nil
	case s.Kind == StepRename && is(unix.EEXIST):
		e.Cause, e.Detail = cause.Exists, "another device has that name"
		e.Fix = fix.Run(fix.Command{Words: []string{"ip", "link", "show", s.name}})
	case s.master != nil && (is(unix.ENODEV) || is(unix.EINVAL) && ns.absent(s.master.index)):
		e.Cause = cause.NoMaster // without a fix: the master existed a moment ago
	case s.Kind == StepMaster && s.master.kind == Bridge && (is(unix.EOPNOTSUPP) || is(unix.EINVAL) || is(unix.ELOOP)):
		e.Detail = "the device cannot be a port of a bridge"
	case s.Kind == StepMaster && (is(unix.EOPNOTSUPP) || is(unix.EINVAL)):
		e.Cause = cause.NoPort
	case s.Kind == StepAddAddress && is(unix.EACCES), s.Kind == StepAddRoute && is(unix.EACCES):
		where := strings.ReplaceAll(s.Device, ".", "/")
		if s.hold != nil || s.absent { // the device will be gone when the user reads this
			where = "default"
		}
		e.Cause, e.Fix = cause.IPv6Off,
			fix.Run(fix.InNamespace("sysctl", "-w", "net.ipv6.conf."+where+".disable_ipv6=0"))
	case s.Kind == StepAddRoute && s.Route.Via.IsValid() &&
		(is(unix.ENETUNREACH) || is(unix.EHOSTUNREACH) || is(unix.EINVAL)):
		e.Cause = cause.NoGateway
	case s.Kind == StepAddRoute && is(unix.EEXIST):
		if e.Cause, e.Detail = cause.RouteTaken, ns.routeHolder(*s.Route); e.Detail == "" {
			e.Detail = "the kernel has such a route for an address, or another program added one and removed it"
		}
	case s.Kind == StepAddRoute && is(unix.ENETDOWN):
		e.Cause = cause.DeviceDown
	}
	return e
}

// notKept returns the error of a step that the kernel accepted and that is left to do. A kernel without VLANs ignores a
// default PVID.
func (j *job) notKept(s Step) error {
	e := &cause.Error{Device: j.Name, What: s.What(), Cause: cause.NotKept}
	asked := s.properties().Settings[rtnl.VLANDefaultPVID]
	if asked != nil && j.now != nil && j.now.Settings[rtnl.VLANDefaultPVID] == nil {
		e.Cause = cause.NoVLANs
	}
	return e
}

// routeHolder returns the name of the device with a route that excludes r, or "" if that route is gone by now.
func (ns *Namespace) routeHolder(r Route) string {
	found, _ := ns.routesBy(func(body []byte, family int) (ownedRoute, bool) {
		if e, ok := rtnl.Ends(body); !ok || e.To != r.To {
			return ownedRoute{}, false
		}
		return decodeRoute(body, family)
	}, r.in(), unix.RTPROT_UNSPEC, 0)
	for _, other := range found {
		if !other.sameKey(r) {
			continue
		}
		if d, err := ns.link("", other.index); err == nil {
			return words.Escape(d.Name) + " has it"
		}
	}
	return ""
}

// errBusy is the errno of a device in use.
const errBusy = unix.EBUSY

// busyError returns the error of a step on a device in use.
func busyError(d *Device, kind StepKind) *cause.Error {
	how := fix.Sentence("stop it first")
	if kind == StepDelete && surroundings.MayConfigure() {
		how = fix.Fix{Before: "stop it first, or force the deletion: ",
			Commands: []fix.Command{fix.Tunadm("delete", d.Name, "--force")}}
	}
	return &cause.Error{Device: d.Name, Cause: cause.InUse, Detail: d.UsedBy(), Fix: how, Err: errBusy}
}
