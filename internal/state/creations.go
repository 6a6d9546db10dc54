package state

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/tunadm/tunadm/internal/files"
)

// A Created is the name and the index of a device that apply created.
type Created struct {
	Name  string
	Index int
}

// A Creation is what a record holds of a device.
type Creation struct {
	Operands []string // of the apply that created it
	Bridge   *Bridge  // nil: no bridge
}

// Creations returns what the records of all operands hold in a namespace. A record that cannot be read counts as
// missing.
func (d Directory) Creations(namespace string) map[Created]Creation {
	all := map[Created]Creation{}
	boot, err := bootID()
	if err != nil {
		return all
	}
	for _, file := range files.Names(string(d)) {
		text, err := files.Read(filepath.Join(string(d), file))
		var r record
		if err != nil || !strings.HasSuffix(file, ".json") || json.Unmarshal(text, &r) != nil || r.Devices == nil ||
			r.Format != format || r.Boot != boot || r.Namespace != namespace {
			continue
		}
		var operands []string
		for _, o := range r.Operands {
			operands = append(operands, string(o))
		}
		for _, known := range *r.Devices {
			all[Created{string(known.Name), int(known.Index)}] = Creation{operands, known.Bridge}
		}
	}
	return all
}
