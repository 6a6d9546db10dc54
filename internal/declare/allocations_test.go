//go:build !race

package declare

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestParseAllocates bounds the allocations for a file: for each table, and for each device of a range.
func TestParseAllocates(t *testing.T) {
	const properties = "mode = \"tun\"\nuser = 1000\nmtu = 1400\naddresses = [\"10.0.0.1/32\"]\n"
	var tables strings.Builder
	for i := range 100 {
		fmt.Fprintf(&tables, "[device.t%d]\n%s", i, properties)
	}
	for _, c := range []struct {
		name, text string
		most       float64
	}{
		{"100 tables", tables.String(), 4334},
		{"a range of 100", "[device.\"t[0-99]\"]\n" + properties, 1137},
	} {
		data := []byte(c.text)
		if all, wrong := parse("f.toml", data); len(all) != 100 || len(wrong) > 0 {
			t.Fatalf("%s: %d devices, %v", c.name, len(all), wrong)
		}
		nstest.Allocates(t, c.name, c.most, func() { parse("f.toml", data) })
	}
}
