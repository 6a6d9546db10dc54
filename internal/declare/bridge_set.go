package declare

import (
	"fmt"

	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/tunadm/tunadm/netcfg"
)

// SetBridge sets a number or a boolean of a bridge, by the name of its key and as a file has it.
func SetBridge(s *netcfg.Spec, name, text string) error {
	kinds := map[string]unstable.Kind{"integer": unstable.Integer, "boolean": unstable.Bool}
	for _, k := range bridgeKeys {
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
	return fmt.Errorf("%s is not a key of a bridge", name)
}
