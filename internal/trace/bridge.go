package trace

import (
	"bytes"
	"net"
	"time"

	"github.com/tunadm/tunadm/internal/evidence"
)

// A database is the forwarding database of the device's bridge, and the neighbours behind the bridge.
type database struct {
	read  time.Time
	ports map[string]int    // the index of the port by the MAC address
	hosts map[string][]byte // the MAC address by the IP address
}

// ofOtherPort reports whether a packet of the bridge surely belongs to another of its ports: the host at its other end
// is behind that one.
func (t *Trace) ofOtherPort(e *Event) bool {
	ours := func(index int) bool { return index == t.target.Index }
	if t.target.Master == 0 || e.Passes() || ours(e.at) || ours(e.InIndex) || ours(e.OutIndex) {
		return false
	}
	const fresh = time.Second
	if time.Since(t.bridge.read) > fresh {
		t.bridge = t.readBridge()
	}
	mac := e.fromMAC
	if e.ToProgram {
		mac = e.toMAC
		if zero := make(net.HardwareAddr, 6); mac == nil || bytes.Equal(mac, zero) {
			mac = t.bridge.hosts[e.To.String()]
		}
	}
	port, known := t.bridge.ports[string(mac)]
	return known && !ours(port)
}

// readBridge reads the databases. What cannot be read is not known.
func (t *Trace) readBridge() database {
	d := database{time.Now(), map[string]int{}, map[string][]byte{}}
	h, err := evidence.Open()
	if err != nil {
		return d
	}
	defer h.Close()
	for _, n := range h.Frames(t.target.Master) {
		if n.Bridge == t.target.Master && !n.Permanent() {
			d.ports[string(n.MAC)] = n.Index
		}
	}
	for _, n := range h.Neighbours(t.target.Master) {
		if n.MAC != nil {
			d.hosts[n.To.String()] = n.MAC
		}
	}
	return d
}
