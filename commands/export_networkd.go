package commands

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
	"golang.org/x/sys/unix"
)

// networkd prints a device as two or three files of systemd-networkd and systemd-udevd, each after its path.
func (e *exporter) networkd(d *netcfg.Device, spec *netcfg.Spec) {
	if !isPlain(d.Name + d.Master) {
		e.comment(d, "left out: its name or its master's contains characters that systemd-networkd interprets")
		return
	}
	e.file(d, "netdev")
	e.netdev(d, spec)
	fmt.Fprintln(e)
	e.file(d, "network")
	e.network(d, spec)
	if spec.TxQueueLen != nil || spec.Alias != nil {
		fmt.Fprintln(e)
		e.file(d, "link")
		e.link(d, spec)
	}
	e.sysctls(d, spec)
}

// sysctls prints the file from which udev sets the sysctls of a device when it appears.
func (e *exporter) sysctls(d *netcfg.Device, spec *netcfg.Spec) {
	if len(spec.Sysctls) == 0 {
		return
	}
	fmt.Fprintf(e, "\n# /etc/sysctl.d/50-%s.conf\n", d.Name)
	for _, s := range spec.Sysctls {
		fmt.Fprintln(e, s.Line(d.Name))
	}
}

// file prints the heading of a file, in the form of systemctl cat.
func (e *exporter) file(d *netcfg.Device, suffix string) {
	fmt.Fprintf(e, "# /etc/systemd/network/50-%s.%s\n", d.Name, suffix)
}

func (e *exporter) setting(key string, value any) { fmt.Fprintf(e, "%s=%v\n", key, value) }

func (e *exporter) netdev(d *netcfg.Device, spec *netcfg.Spec) {
	fmt.Fprintln(e, "[NetDev]")
	e.setting("Name", d.Name)
	e.setting("Kind", d.Mode)
	fmt.Fprintf(e, "\n[%s]\n", map[link.Mode]string{link.TUN: "Tun", link.TAP: "Tap"}[d.Mode])
	e.access(d, "User", d.Access.User)
	e.access(d, "Group", d.Access.Group)
	for _, flag := range []struct {
		on  bool
		key string
	}{{d.MultiQueue, "MultiQueue"}, {d.PI, "PacketInfo"}, {d.VnetHdr, "VNetHeader"}} {
		if flag.on {
			e.setting(flag.key, "yes")
		}
	}
}

// systemMax is the largest UID and GID of a system user and a system group, unless systemd was built with another one.
const systemMax = 999

// access prints a user or a group that may attach.
func (e *exporter) access(d *netcfg.Device, key string, id *users.ID) {
	if id == nil {
		return
	}
	if id.Number > systemMax {
		e.comment(d, "systemd-networkd 258 and 259 ignore "+key+"= unless it is a system "+strings.ToLower(key)+
			", and 260 warns that this is deprecated")
	}
	e.setting(key, networkdID(id))
}

// link prints the properties that systemd-udevd sets. It reads an alias up to the end of the line, in ASCII.
func (e *exporter) link(d *netcfg.Device, spec *netcfg.Spec) {
	fmt.Fprintln(e, "[Match]")
	e.setting("OriginalName", d.Name)
	fmt.Fprintln(e, "\n[Link]")
	if spec.TxQueueLen != nil {
		e.setting("TransmitQueueLength", *spec.TxQueueLen)
	}
	if spec.Alias == nil {
		return
	}
	alias := *spec.Alias
	strange := func(r rune) bool { return r < ' ' || r > '~' }
	if strings.ContainsFunc(alias, strange) || strings.TrimSpace(alias) != alias || strings.HasSuffix(alias, `\`) {
		e.comment(d, "alias "+alias+" is left out: systemd-udevd would read another text")
		return
	}
	e.setting("Alias", alias)
}

// networkdID returns the name of a user or a group, or the number if the name could mean anything else in the file.
func networkdID(id *users.ID) string {
	if id.Name == "" || !isPlain(id.Name) {
		return strconv.FormatUint(uint64(id.Number), 10)
	}
	return id.Name
}

func (e *exporter) network(d *netcfg.Device, spec *netcfg.Spec) {
	fmt.Fprintln(e, "[Match]")
	e.setting("Name", d.Name)
	fmt.Fprintln(e, "\n[Link]")
	e.setting("RequiredForOnline", "no")
	if d.MAC != nil {
		e.setting("MACAddress", d.MAC)
	}
	if spec.MTU != nil {
		e.setting("MTUBytes", *spec.MTU)
	}
	if spec.Multicast != nil {
		e.setting("Multicast", *spec.Multicast)
	}
	if spec.Promisc != nil {
		e.setting("Promiscuous", *spec.Promisc)
	}
	if !d.Up {
		e.setting("ActivationPolicy", "down")
	}
	fmt.Fprintln(e, "\n[Network]")
	e.setting("ConfigureWithoutCarrier", "yes")
	e.setting("IPv6AcceptRA", "no")
	if d.Master != "" {
		e.setting(map[bool]string{true: "VRF", false: "Bridge"}[d.MasterKind == "vrf"], d.Master)
	}
	e.port(spec)
	if spec.Addresses != nil {
		for _, a := range *spec.Addresses {
			e.address(a)
		}
	}
	if spec.Routes != nil {
		for _, r := range *spec.Routes {
			e.route(r)
		}
	}
}

func (e *exporter) address(a netcfg.Address) {
	fmt.Fprintln(e, "\n[Address]")
	if a.Peer.IsValid() {
		e.setting("Address", netip.PrefixFrom(a.Local, a.Local.BitLen()))
		e.setting("Peer", netip.PrefixFrom(a.Peer, a.Bits))
	} else {
		e.setting("Address", a.Bare())
	}
	switch {
	case a.Broadcast.IsValid():
		e.setting("Broadcast", a.Broadcast)
	case a.Local.Is4():
		e.setting("Broadcast", "no")
	}
}

func (e *exporter) route(r netcfg.Route) {
	fmt.Fprintln(e, "\n[Route]")
	e.setting("Destination", r.To)
	if r.Via.IsValid() {
		e.setting("Gateway", r.Via)
	}
	if r.Metric != 0 {
		e.setting("Metric", r.Metric)
	}
	if r.Table != 0 && r.Table != unix.RT_TABLE_MAIN {
		e.setting("Table", r.Table)
	}
}
