package netcfg

import (
	"cmp"
	"slices"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/sysctl"
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
			p.step(phaseSysctl, Step{Kind: StepSysctl, sysctl: &s, old: p.have})
		}
	}
}

// writeSysctls runs steps that write a sysctl.
func (ns *Namespace) writeSysctls(steps []*task) []error {
	errs := make([]error, len(steps))
	for i, s := range steps {
		if err := s.sysctl.Write(s.Device, func() error { return ns.meant(s) }); err != nil {
			errs[i] = ns.explainStep(s, err)
		}
	}
	return errs
}

// meant returns an error unless the name of a step's device is still that of the device which the step means. The
// descriptor of a new device identifies it. Any other device is known by its kind, name and index.
func (ns *Namespace) meant(s *task) (err error) {
	now := &Device{Kind: s.old.Kind}
	if s.hold != nil {
		now.Name, now.Index, err = ns.Identify(s.hold.fd)
	} else {
		now, err = ns.link(s.Device, 0)
	}
	if cause.Gone(err) || err == nil && (now.Name != s.Device || now.Index != s.Index || now.Kind != s.old.Kind) {
		return cause.Vanished(s.Device)
	}
	return err
}
