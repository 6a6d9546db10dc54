package metrics

import (
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

var escaped = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// The types of metrics.
const (
	gauge   = "gauge"
	counter = "counter"
)

// families returns all metrics, in the order of the output.
func families() []family {
	return []family{
		{name: "tunadm_device_info", kind: gauge, help: "Properties of the device as labels; the value is 1.",
			write: info},
		{name: "tunadm_device_up", kind: gauge, help: "Whether the device is administratively up.",
			device: func(d *netcfg.Device) uint64 { return truth(d.Up) }},
		{name: "tunadm_device_carrier", kind: gauge, help: "Whether the device is up and has a carrier.",
			device: func(d *netcfg.Device) uint64 { return truth(d.Carrier) }},
		{name: "tunadm_device_carrier_up_changes_total", kind: counter, help: "How many times the carrier came on.",
			device: func(d *netcfg.Device) uint64 { return uint64(d.CarrierUps) }},
		{name: "tunadm_device_attached_programs", kind: gauge,
			help:   "Programs that are attached; those that the invoking user may not examine count as one.",
			device: programs},
		{name: "tunadm_device_queues", kind: gauge, help: "Attached queues, enabled or disabled.", write: queues},
		{name: "tunadm_device_mtu_bytes", kind: gauge, help: "The MTU.",
			device: func(d *netcfg.Device) uint64 { return uint64(d.MTU) }},

		{name: "tunadm_device_receive_bytes_total", kind: counter,
			help:   "Bytes that programs wrote and the host received.",
			device: func(d *netcfg.Device) uint64 { return d.Stats.RxBytes }},
		{name: "tunadm_device_receive_packets_total", kind: counter,
			help:   "Packets that programs wrote and the host received.",
			device: func(d *netcfg.Device) uint64 { return d.Stats.RxPackets }},
		{name: "tunadm_device_receive_drop_total", kind: counter,
			help:   "Packets that programs wrote and the kernel dropped.",
			device: func(d *netcfg.Device) uint64 { return d.Stats.RxDropped }},
		{name: "tunadm_device_receive_errs_total", kind: counter,
			help:   "Malformed packets that programs wrote.",
			device: func(d *netcfg.Device) uint64 { return d.Stats.RxErrors }},
		{name: "tunadm_device_transmit_bytes_total", kind: counter,
			help:   "Bytes that the host sent and programs read.",
			device: func(d *netcfg.Device) uint64 { return d.Stats.TxBytes }},
		{name: "tunadm_device_transmit_packets_total", kind: counter,
			help:   "Packets that the host sent and programs read.",
			device: func(d *netcfg.Device) uint64 { return d.Stats.TxPackets }},
		{name: "tunadm_device_transmit_drop_total", kind: counter,
			help:   "Packets that the host sent and the kernel dropped.",
			device: func(d *netcfg.Device) uint64 { return d.Stats.TxDropped }},
		{name: "tunadm_device_transmit_errs_total", kind: counter,
			help:   "Packets that the host could not send.",
			device: func(d *netcfg.Device) uint64 { return d.Stats.TxErrors }},

		{name: "tunadm_declared_devices", kind: gauge,
			help:  "Devices, bridges and ports that the files declare, by their state in tunadm status.",
			write: declared},
		{name: "tunadm_declared_files_valid", kind: gauge,
			help: "Whether the files that declare devices can be read and have no mistake.", write: valid},
		{name: "tunadm_doctor_errors", kind: gauge, help: "Errors that tunadm doctor finds, by check.", write: errors},

		{name: "tunadm_build_info", kind: gauge, help: "The version of tunadm; the value is 1.",
			write: func(t *text, n *Numbers) { t.one("{"+label("version", n.Version)+"}", 1) }},
		{name: "tunadm_run_timestamp_seconds", kind: gauge, help: "When the run of tunadm metrics began.",
			write: func(t *text, n *Numbers) { t.one("", float64(n.Start.UnixMilli())/1000) }},
		{name: "tunadm_run_duration_seconds", kind: gauge, help: "How long the run of tunadm metrics took.",
			write: func(t *text, n *Numbers) { t.one("", n.Duration.Seconds()) }},
	}
}

func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// programs returns the number of programs that are attached to a device.
func programs(d *netcfg.Device) uint64 {
	return uint64(len(d.Holders)) + truth(d.InUse() && !d.HoldersComplete())
}

// info writes the properties that are no numbers. A label that changes makes a new time series, so properties that
// programs change in operation are not among them.
func info(t *text, n *Numbers) {
	name := func(id *users.ID) string {
		if id == nil {
			return ""
		}
		return id.String()
	}
	for i, d := range n.Devices {
		labels := []string{t.labels[i], label("mode", d.Mode.String()), label("access", d.Access.String()),
			label("owner", name(d.Access.User)), label("group", name(d.Access.Group)), label("master", d.Master),
			label("alias", d.Alias), label("multi_queue", strconv.FormatBool(d.MultiQueue)),
			label("persist", strconv.FormatBool(d.Persist))}
		t.one(strings.Join(labels, ",")+"}", 1)
	}
}

func queues(t *text, n *Numbers) {
	for i, d := range n.Devices {
		t.one(t.labels[i]+`,state="enabled"}`, float64(d.Queues))
		t.one(t.labels[i]+`,state="disabled"}`, float64(d.DisabledQueues))
	}
}

func declared(t *text, n *Numbers) {
	if n.Declared == nil {
		return
	}
	for _, c := range n.Declared.States {
		t.one("{"+label("state", c.Label)+"}", float64(c.N))
	}
}

func valid(t *text, n *Numbers) {
	if n.Declared != nil {
		t.one("", float64(truth(n.Declared.Valid)))
	}
}

func errors(t *text, n *Numbers) {
	for _, e := range n.Errors {
		before := "{"
		if e.Netns != "" {
			before += label("netns", e.Netns) + ","
		}
		for _, c := range e.ByCheck {
			t.one(before+label("check", c.Label)+"}", float64(c.N))
		}
	}
}
