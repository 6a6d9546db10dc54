package netcfg

import (
	"testing"

	"github.com/tunadm/tunadm/internal/link"
	"golang.org/x/sys/unix"
)

// FuzzDecode decodes messages that no kernel sends: each returns a value or none, and does not panic.
func FuzzDecode(f *testing.F) {
	for _, s := range []Step{
		{Kind: StepLink, link: &Link{MTU: on(1400), Alias: on("x"), MAC: link.MAC{2, 0, 0, 0, 0, 1}, Up: on(true)}},
		{Kind: StepAddAddress, address: at("10.0.0.1 peer 10.0.0.2")},
		{Kind: StepAddRoute, Route: through("fd00::/8 via fd00::1 metric 5 table 7")},
	} {
		f.Add(s.encode().Serialize()[unix.SizeofNlMsghdr:])
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if d := decodeLink(body); d != nil && d.Kind == "tun" {
			_, _ = Plan(nil, d)
		}
		if a, ok := decodeAddress(body); ok {
			_ = a.String()
		}
		for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
			if r, ok := decodeRoute(body, family); ok {
				_ = r.String()
			}
		}
	})
}
