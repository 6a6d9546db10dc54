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
	if p.have.Index != 0 && p.have.sysctls == nil {
		return
	}
	for _, s := range p.want.Sysctls {
		if !slices.Contains(p.have.sysctls, s) {
			p.step(phaseSysctl, Step{Kind: StepSysctl, sysctl: s, old: p.have})
		}
	}
}

// writeSysctls runs steps that write a sysctl.
func (ns *Namespace) writeSysctls(steps []*task) []error {
	errs := make([]error, len(steps))
	for i, s := range steps {
		verify := func() error { return ns.meant(s) }
		err := s.sysctl.Write(s.Device, verify)
		if errors.Is(err, unix.ENOENT) {
			err = cmp.Or(verify(), err)
		}
		if err != nil {
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
	rounded := sysctl.Rounded("")
	switch {
	case errors.As(err, &rounded):
	case errors.Is(err, unix.ENOENT):
		e.Detail, e.Err = "the device has no such sysctl", nil
	case errors.Is(err, unix.EROFS):
		e.Detail, e.Err = "it cannot be changed", nil
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		e.Cause, e.Fix = cause.NotPermitted, surroundings.AsRoot()
	case errors.Is(err, unix.EINVAL):
		e.Detail = "the kernel does not accept the value"
	default:
		return ns.explainStep(s, err)
	}
	return e
}
