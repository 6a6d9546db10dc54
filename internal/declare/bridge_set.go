package declare

import (
	"fmt"
	"slices"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/sysctl"
	"github.com/tunadm/tunadm/netcfg"
)

// SetBridge sets a number or a boolean of a bridge, by the name of its key and as a file has it.
func SetBridge(s *netcfg.Spec, name, text string) error {
	return setOne(bridgeKeys(), "a bridge", s, name, text)
}

// SetPort sets a number or a boolean of a port of a bridge, by the name of its key and as a file has it.
func SetPort(s *netcfg.Spec, name, text string) error {
	return setOne(portKeys(), "a port", s, name, text)
}

// ForgetPort removes the properties that only a port of a bridge has.
func ForgetPort(s *netcfg.Spec) {
	for n := range s.Settings {
		if rtnl.Setting(n).OfPort() {
			s.Settings[n] = nil
		}
	}
	s.PVID, s.VLANs = nil, nil
}

// SetSysctl sets a sysctl by its name without the device.
func SetSysctl(s *netcfg.Spec, name, value string) error {
	one, err := sysctl.Parse(name, value)
	if err != nil {
		return err
	}
	same := func(o sysctl.Setting) bool { return o.Name() == name }
	s.Sysctls = append(slices.DeleteFunc(slices.Clone(s.Sysctls), same), one)
	return nil
}

func setOne(keys []key, owner string, s *netcfg.Spec, name, text string) error {
	kinds := map[string]unstable.Kind{"integer": unstable.Integer, "boolean": unstable.Bool}
	for _, k := range keys {
		kind, scalar := kinds[k.kind]
		if k.name != name || !scalar {
			continue
		}
		if kind == unstable.Bool && text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		d := Declaration{Spec: *s}
		if err := k.set(&d, value{kind: kind, text: text}); err != nil {
			return err
		}
		*s = d.Spec
		return nil
	}
	return fmt.Errorf("%s is not a key of %s", name, owner)
}
