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
		want := j.want
		if want == nil {
			want = j.Want
		}
		if j.now == nil || want == nil || len(want.Sysctls) == 0 {
			continue
		}
		j.now.sysctls = []sysctl.Setting{}
		for _, s := range want.Sysctls {
			if now, ok := s.Read(j.now.Name); ok {
				j.now.sysctls = append(j.now.sysctls, now)
			}
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
			p.step(phaseSysctl, Step{Kind: StepSysctl, sysctl: s})
		}
	}
}

// writeSysctls runs steps that write a sysctl.
func (ns *Namespace) writeSysctls(steps []*task) []error {
	errs := make([]error, len(steps))
	for i, s := range steps {
		err := s.sysctl.Write(s.Device, func() error {
			if now, err := ns.link(s.Device, 0); err != nil || now.Index != s.Index {
				return cmp.Or(err, error(unix.ENODEV))
			}
			return nil
		})
		if err != nil {
			errs[i] = ns.explainSysctl(s, err)
		}
	}
	return errs
}

func (ns *Namespace) explainSysctl(s *task, err error) error {
	e := &cause.Error{Device: s.Device, What: s.what(), Err: err}
	rounded := sysctl.Rounded("")
	switch {
	case errors.As(err, &rounded):
	case errors.Is(err, unix.ENOENT) && !ns.absent(s.Index):
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
