package commands

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tunadm/tunadm/netcfg"
)

// A sample is the counters of devices at one time.
type sample struct {
	at      time.Time
	devices []*netcfg.Device
}

// takeSample reads the counters of the devices that names and patterns mean, or of all, and returns an error for each
// that is absent.
func takeSample(ns *netcfg.Namespace, operands []string) (s *sample, missing []error, err error) {
	names, missing, err := matching(ns, operands)
	if err != nil || len(operands) > 0 && len(names) == 0 {
		return &sample{at: time.Now()}, missing, err
	}
	found, err := ns.Counters(names...)
	if err != nil {
		return nil, nil, err
	}
	devices, others := present(found, names)
	return &sample{time.Now(), devices}, append(missing, others...), nil
}

// rates returns a function that returns how much a counter of a device grew per second between two samples, and false
// if the device is not in both.
func rates(now, before *sample) func(d *netcfg.Device, counter column) (uint64, bool) {
	then := map[int]*netcfg.Device{}
	for _, d := range before.devices {
		then[d.Index] = d
	}
	seconds := now.at.Sub(before.at).Seconds()
	return func(d *netcfg.Device, counter column) (uint64, bool) {
		old := then[d.Index]
		if old == nil || counter.number(d) < counter.number(old) || seconds <= 0 {
			return 0, false
		}
		return uint64(math.Round(float64(counter.number(d)-counter.number(old)) / seconds)), true
	}
}

// rateColumns returns the columns of list --stats, with rates in place of the counters.
func rateColumns(now, before *sample) []column {
	rate := rates(now, before)
	all := statsColumns()
	for i, c := range all {
		if !c.traffic {
			continue
		}
		all[i].name = strings.NewReplacer("packets", "pkt", "bytes", "b", "dropped", "drop").Replace(c.name) + "/s"
		all[i].values = func(d *netcfg.Device) []string {
			if n, known := rate(d, c); known {
				return []string{strconv.FormatUint(n, 10)}
			}
			return nil
		}
	}
	return all
}

// mostTraffic returns the devices in the order of their bytes per second in both directions.
func mostTraffic(now, before *sample) []*netcfg.Device {
	rate := rates(now, before)
	traffic := map[*netcfg.Device]uint64{}
	for _, c := range statsColumns() {
		if c.name == "rx-bytes" || c.name == "tx-bytes" {
			for _, d := range now.devices {
				n, _ := rate(d, c)
				traffic[d] += n
			}
		}
	}
	sorted := slices.Clone(now.devices)
	slices.SortStableFunc(sorted, func(a, b *netcfg.Device) int { return cmp.Compare(traffic[b], traffic[a]) })
	return sorted
}
