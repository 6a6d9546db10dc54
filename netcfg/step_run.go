package netcfg

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// encode returns the netlink request of a step.
func (s Step) encode() *nl.NetlinkRequest {
	switch s.Kind {
	case StepLink:
		return s.link.Marshal(s.Index)
	case StepHold:
		return rtnl.ChangeLink(s.master.index, nl.NewRtAttr(unix.IFLA_ADDRESS, s.master.mac))
	case StepMaster:
		return rtnl.ChangeLink(s.Index, nl.NewRtAttr(unix.IFLA_MASTER, nl.Uint32Attr(uint32(s.master.index))))
	case StepAddVLAN, StepRemoveVLAN:
		return s.vlan.Change(s.Index, s.Kind == StepRemoveVLAN)
	case StepRename:
		return rtnl.ChangeLink(s.Index, nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated(s.name)))
	case StepAddAddress:
		return s.encodeAddress(unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	case StepRemoveAddress:
		return s.encodeAddress(unix.RTM_DELADDR, 0)
	case StepAddRoute:
		return s.encodeRoute(unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	case StepRemoveRoute:
		return s.encodeRoute(unix.RTM_DELROUTE, 0)
	}
	return nil
}

// encodeAddress returns the request for an address. An address that was read from the kernel is sent with its
// lifetimes, label and flags.
func (s Step) encodeAddress(kind, flags int) *nl.NetlinkRequest {
	a := s.address
	if a.kept.message != nil && kind == unix.RTM_NEWADDR { // it may still exist: some kernels promote secondaries
		flags = unix.NLM_F_CREATE | unix.NLM_F_REPLACE
	}
	to := rtnl.Address{Index: s.Index, Address: a.Address, Message: a.kept.message}
	return to.Marshal(kind, flags)
}

// encodeRoute returns the request for a route. A route that was read from the kernel is sent with its protocol, metrics
// and hops.
func (s Step) encodeRoute(kind, flags int) *nl.NetlinkRequest {
	r := s.Route
	if m := r.kept.message; m != nil {
		if kind == unix.RTM_NEWROUTE { // append: another program may have added a route with this destination
			flags = unix.NLM_F_CREATE | unix.NLM_F_APPEND
		}
		return rtnl.ResendRoute(kind, flags, m, r.kept.through, s.Index)
	}
	to := rtnl.Route{Index: s.Index, To: r.To, Via: r.Via, Source: r.Source, Metric: r.Metric, Table: r.table()}
	return to.Marshal(kind, flags)
}

// do runs the steps of one phase, those of one device in order, and returns an error or nil for each.
func (ns *Namespace) do(ctx context.Context, steps []*task, o Options) []error {
	errs := make([]error, len(steps))
	if len(steps) == 0 {
		return errs
	}
	switch steps[0].phase {
	case phaseAddRules, phaseRemoveRules:
		errs = ns.changeRules(steps)
	case phaseCreate:
		errs = ns.createAll(ctx, steps, o)
	case phaseSysctl:
		errs = ns.writeSysctls(steps)
	case phaseAccess:
		for i, s := range steps {
			if err := ns.changeAccess(s); err != nil {
				errs[i] = ns.explainStep(s, err)
			}
		}
	case phaseClear, phaseDelete:
		errs = ns.deleteAll(steps)
	default:
		if portion := 256; len(steps) > portion { // Options.Log is called after each portion, for a user who waits
			return append(ns.do(ctx, steps[:portion], o), ns.do(ctx, steps[portion:], o)...)
		}
		errs = ns.configure(steps)
	}
	for i, s := range steps {
		if errs[i] == nil && s.phase != phaseCreate {
			o.Log(s.Step)
		}
	}
	return errs
}

// configure sends the steps in batches.
func (ns *Namespace) configure(steps []*task) []error {
	requests := make([]*nl.NetlinkRequest, len(steps))
	for i, s := range steps {
		requests[i] = s.encode()
	}
	errs := ns.socket.Exchange(requests, nil)
	for i, err := range errs {
		if err == nil {
			continue
		}
		switch one := steps[i].properties().Split(); {
		case steps[i].earlyForSource(err):
			errs[i] = ns.settle(steps[i])
		case steps[i].needless(err):
			errs[i] = nil
		case len(one) > 1:
			errs[i] = ns.configureSingly(steps[i], one)
		default:
			errs[i] = ns.explainStep(steps[i], err)
		}
	}
	return errs
}

// earlyForSource reports whether a route was refused because its IPv6 source is still tentative.
func (s *Step) earlyForSource(err error) bool {
	return s.Kind == StepAddRoute && s.Route.Source.Is6() && errors.Is(err, unix.EINVAL)
}

// settle waits until the source of a route is no longer tentative, for a second at most, and sends the route again. The
// kernel settles an address a moment after it accepted it, even without duplicate address detection.
func (ns *Namespace) settle(s *task) error {
	const most, between = time.Second, time.Millisecond
	unsettled := func(a Address) bool { return a.Local == s.Route.Source && a.kept.tentative }
	for deadline := time.Now().Add(most); time.Now().Before(deadline); poll.Sleep(between) {
		d := &Device{Index: s.Index}
		if err := ns.ReadAddresses([]*Device{d}); err != nil {
			return err
		}
		if !slices.ContainsFunc(d.Addresses, unsettled) {
			break
		}
	}
	if err := ns.socket.Do(s.encode(), nil); err != nil && !s.needless(err) {
		return ns.explainStep(s, err)
	}
	return nil
}

// needless reports whether the kernel refused to remove something that is already gone: a secondary address goes with
// its primary, routes with the last address, and IPv6 (ENXIO) with an MTU that is too small. It also reports whether
// the kernel refused to put back a route that never went.
func (s *Step) needless(err error) bool {
	switch s.Kind {
	case StepRemoveAddress:
		return errors.Is(err, unix.EADDRNOTAVAIL) || errors.Is(err, unix.ENXIO)
	case StepRemoveRoute:
		return errors.Is(err, unix.ESRCH)
	case StepAddRoute:
		return errors.Is(err, unix.EEXIST) && s.Route.kept.message != nil
	}
	return false
}

// configureSingly changes the properties of a link step one by one, to find the one that the kernel refuses. Each of
// them is absolute, so repeating one that succeeded is harmless.
func (ns *Namespace) configureSingly(s *task, properties []Link) error {
	for _, l := range properties {
		single := *s
		single.link = &l
		if err := ns.configure([]*task{&single})[0]; err != nil {
			return err
		}
	}
	return nil
}
