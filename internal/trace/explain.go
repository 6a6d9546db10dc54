package trace

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
)

// An explanation is a row of the tables: what a reason means for a TUN/TAP device.
type explanation struct {
	name string // of the reason, or of the function for a reason that is not specified
	// means is the cause. {device} is the device that has the packet, {in} the one through which it arrived, {from} and
	// {to} are its addresses.
	means string
	fix   func(t *Trace, e *Event) []fix.Fix // nil: there is no fix that fits all cases
}

// Explain returns why the kernel drops a packet, and what corrects that, the best first; "": not known.
func (t *Trace) Explain(e *Event) (means string, fixes []fix.Fix) {
	row := t.row(e)
	if row == nil {
		return "", nil
	}
	if row.fix != nil {
		fixes = row.fix(t, e)
	}
	for i, f := range fixes {
		fixes[i] = f.Lasting()
	}
	from, to := address(e.From, "its source"), address(e.To, "its destination")
	if e.partial {
		row = &explanation{means: strings.Replace(row.means, " at the hook {hook}", "", 1)}
	}
	text := strings.NewReplacer("{device}", e.Device, "{in}", e.In, "{out}", cmp.Or(e.Out, e.Device),
		"{from}", from, "{to}", to, "{hook}", e.hook(), "{mac}", e.toMAC.String(),
		"{type}", fmt.Sprintf("0x%04x", e.ethernet)).Replace(row.means)
	text = strings.ReplaceAll(text, "its source its source", "its source")
	return strings.ReplaceAll(text, "its destination its destination", "its destination"), fixes
}

// address returns an address, or other words if it is not known.
func address(ip netip.Addr, otherwise string) string {
	if !ip.IsValid() {
		return otherwise
	}
	return ip.String()
}

// row returns the explanation of an event, or nil.
func (t *Trace) row(e *Event) *explanation {
	if e.Reason == "QDISC_DROP" || e.Reason == "DEV_READY" || e.Reason == notSpecified &&
		(e.Function == "kfree_skb_list" || e.Function == "tun_net_xmit") {
		switch ours := e.at == t.target.Index; {
		case t.host.down(e.Device):
			return &isDown
		case ours && t.host.idle(e.Device):
			return &noProgram
		case t.host.idle(e.Device):
			return &noCarrier
		}
	}
	if e.Reason == "UNHANDLED_PROTO" && e.at == t.target.Index && t.target.Master != 0 && linkLocalGroup(e.toMAC) {
		return &linkLocal
	}
	if e.Reason == "IP_INHDR" && (e.Function == "ip_forward" || e.Function == "ip6_forward") {
		return &expired
	}
	if (e.Reason == "IP_INADDRERRORS" || e.Reason == "IP_INNOROUTES") && t.deviceOf(e.To) != "" {
		return &noLocalRoute
	}
	if e.Reason == notSpecified {
		for i := range functions {
			if functions[i].name == e.Function {
				return &functions[i]
			}
		}
		return nil
	}
	for i := range reasons {
		if row := &reasons[i]; row.name == e.Reason || strings.HasSuffix(row.name, "*") &&
			strings.HasPrefix(e.Reason, strings.TrimSuffix(row.name, "*")) {
			return row
		}
	}
	return nil
}

// linkLocalGroup reports whether a MAC address is one that bridges keep for themselves: 01:80:c2:00:00:00 to ...:0f.
func linkLocalGroup(mac net.HardwareAddr) bool {
	const last = 0x0f
	return len(mac) == 6 && [5]byte(mac) == [5]byte{0x01, 0x80, 0xc2} && mac[5] <= last
}

// deviceOf returns the device that has an address; "": this host does not have it.
func (t *Trace) deviceOf(ip netip.Addr) string {
	h, err := evidence.Open()
	if err != nil {
		return ""
	}
	defer h.Close()
	for _, a := range h.Addresses(0, ip.Is6()) {
		if a.Local == ip {
			return t.host.name(a.Index)
		}
	}
	return ""
}

// hook returns the name of the netfilter hook that a packet was in, by how far it had come.
func (e *Event) hook() string {
	switch {
	case e.InIndex != 0 && e.OutIndex == 0:
		return "ingress or prerouting"
	case e.InIndex == 0 && e.at == 0:
		return "output"
	case e.InIndex == 0:
		return "postrouting"
	case e.toHost:
		return "input"
	case e.at == e.OutIndex:
		return "postrouting"
	}
	return "forward"
}
