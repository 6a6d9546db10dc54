package netcfg

import (
	"cmp"
	"errors"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/internal/sysctl"
	"golang.org/x/sys/unix"
)

// readSysctls fills in the present values of the sysctls that the changes ask for.
func readSysctls(jobs []*job) {
	for _, j := range jobs {
		want := cmp.Or(j.want, j.Want)
		if j.now != nil && want != nil && len(want.Sysctls) > 0 {
			j.now.sysctls = sysctl.ReadAll(want.Sysctls, j.now.Name)
		}
	}
}

// sysctls plans the sysctls, before the device is brought up. Those of a new device are unknown: all are written. They
// were not read if the caller only compares.
func (p *planner) sysctls() {
	known := p.have.Index == 0 || p.have.sysctls != nil
	for _, s := range p.want.Sysctls {
		if known && !slices.Contains(p.have.sysctls, s) {
			p.step(phaseSysctl, Step{Kind: StepSysctl, sysctl: s, old: p.have})
		}
	}
}

// writeSysctls runs steps that write a sysctl.
func (ns *Namespace) writeSysctls(steps []*task) []error {
	errs := make([]error, len(steps))
	for i, s := range steps {
		if err := s.sysctl.Write(s.Device, func() error { return ns.meant(s) }); err != nil {
			errs[i] = ns.explainSysctl(s, err)
		}
	}
	return errs
}

// meant returns an error unless the name of a step's device is still that of the device which the step means. The
// descriptor of a new device identifies it. Any other device is known by its kind, name and index.
func (ns *Namespace) meant(s *task) (err error) {
	now := &Device{Kind: s.old.Kind}
	if s.hold != nil {
		now.Name, now.Index, err = ns.identify(s.hold.fd)
	} else {
		now, err = ns.link(s.Device, 0)
	}
	if cause.Gone(err) || err == nil && (now.Name != s.Device || now.Index != s.Index || now.Kind != s.old.Kind) {
		return cause.Vanished(s.Device)
	}
	return err
}

func (ns *Namespace) explainSysctl(s *task, err error) error {
	e := &cause.Error{Device: s.Device, What: s.what(), Err: err}
	refused := new(sysctl.Refused)
	switch {
	case errors.As(err, &refused):
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		e.Cause, e.Fix = cause.NotPermitted, surroundings.AsRoot()
	default:
		return ns.explainStep(s, err)
	}
	return e
}
