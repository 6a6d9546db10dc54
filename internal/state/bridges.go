package state

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/tunadm/tunadm/internal/files"
)

// BridgeOf returns what any apply in a namespace remembers of the bridge with that name and index, or nil. A record
// that cannot be read counts as missing.
func (d Directory) BridgeOf(namespace, name string, index int) *Bridge {
	boot, err := bootID()
	if err != nil {
		return nil
	}
	for _, file := range files.Names(string(d)) {
		text, err := files.Read(filepath.Join(string(d), file))
		var r record
		if err != nil || !strings.HasSuffix(file, ".json") || json.Unmarshal(text, &r) != nil || r.Devices == nil ||
			r.Format != format || r.Boot != boot || r.Namespace != namespace {
			continue
		}
		for _, known := range *r.Devices {
			if known.Bridge != nil && int(known.Index) == index && string(known.Name) == name {
				return known.Bridge
			}
		}
	}
	return nil
}
