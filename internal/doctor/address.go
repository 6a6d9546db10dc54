package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// bridgeAddress finds an address on a bridge port. It belongs on the bridge.
func bridgeAddress(v *view) []Finding {
	d := v.device
	if d.MasterKind != "bridge" {
		return nil
	}
	for _, a := range own(d) {
		return one(Error,
			fmt.Sprintf("it has the address %s, but is a port of the bridge %s", a, words.Escape(d.Master)),
			"a port passes every frame to its bridge, so nothing answers at this address",
			fix.Run(fix.Tunadm("set", d.Name, "--remove-address", a.String()),
				ip("addr", "replace", a.String(), "dev", d.Master)))
	}
	if v.asked() {
		return v.siblingAddress()
	}
	return nil
}

// siblingAddress finds an address on another port of the bridge, such as the network card that joined it.
func (v *view) siblingAddress() []Finding {
	l := v.addressedSibling()
	if l == nil {
		return nil
	}
	var move []fix.Command
	for _, a := range own(l) {
		move = append(move, ip("addr", "del", a.String(), "dev", l.Name),
			ip("addr", "replace", a.String(), "dev", l.Master))
	}
	routes, err := v.namespace.RoutesThrough(l.Index)
	if err != nil {
		v.fail(err)
	}
	for _, r := range routes {
		if r.Via.IsValid() && !r.Foreign() {
			move = append(move, ip(append(family(r.To.Addr()), append([]string{"route", "replace"},
				append(strings.Fields(r.String()), "dev", l.Master)...)...)...))
		}
	}
	return one(Error, fmt.Sprintf("%s, another port of its bridge %s, has the address %s", words.Escape(l.Name),
		words.Escape(l.Master), own(l)[0]),
		"a port passes every frame to its bridge, so nothing answers at this address",
		fix.Fix{Commands: move, After: "  # until the next boot; configure the bridge with it"})
}

// own returns the addresses of a device without IPv6 link-local ones.
func own(d *netcfg.Device) (addresses []netcfg.Address) {
	for _, a := range d.Addresses {
		if usable(a) {
			addresses = append(addresses, a)
		}
	}
	return addresses
}

// usable reports whether an address is not an IPv6 link-local one.
func usable(a netcfg.Address) bool { return a.Local.Is4() || !a.Local.IsLinkLocalUnicast() }

// noAddress finds a device named in the question that is up but has no usable address.
func noAddress(v *view) []Finding {
	d := v.device
	if a := own(d); len(a) > 0 {
		reaches := func(a netcfg.Address) bool { return target(a).IsValid() }
		if v.asked() && d.Up && d.Master == "" && !slices.ContainsFunc(a, reaches) && !v.hasRoutes(d) {
			wider := a[0]
			wider.Bits = map[bool]int{true: 24, false: 64}[a[0].Local.Is4()]
			return one(Warning,
				fmt.Sprintf("its address %s covers only this host, and no route leads out of the device", a[0]),
				"this host sends no packet to the device; the prefix length below is an example",
				fix.Run(fix.Tunadm("set", d.Name, "--add-address", wider.String())))
		}
		return nil
	}
	return v.noAddressNorBridge()
}

// freeAddress returns an address from a network that no link of this host uses, and no other device of the question
// gets: the fixes of all devices may be run together.
func (v *view) freeAddress(ipv6 bool) netcfg.Address {
	for n := range 128 {
		a := withLength(netip.AddrFrom4([4]byte{192, 168, byte(77 + n), 1}), 24)
		if ipv6 {
			a = withLength(netip.AddrFrom16([16]byte{0: 0xfd, 2: 0x77, 7: byte(n), 15: 1}), 64)
		}
		if index, given := v.examples[a.Subnet()]; !v.overlaps(a.Subnet()) && (!given || index == v.device.Index) {
			if v.examples == nil {
				v.examples = map[netip.Prefix]int{}
			}
			v.examples[a.Subnet()] = v.device.Index
			return a
		}
	}
	return withLength(netip.AddrFrom4([4]byte{10, 77, 0, 1}), 24)
}

func withLength(ip netip.Addr, bits int) netcfg.Address {
	return netcfg.Address{Address: link.Address{Local: ip, Bits: bits}}
}

// overlaps reports whether the network of an address of this host overlaps another network.
func (v *view) overlaps(other netip.Prefix) bool {
	for _, a := range v.addressesOf(other.Addr().Is6()) {
		if usable(a) && a.Subnet().Overlaps(other) {
			return true
		}
	}
	return false
}

// sameSubnet returns a link other than d that is up, in the same VRF, and has an address in the same network as a. It
// returns nil if there is none.
func (v *view) sameSubnet(a netcfg.Address, d *netcfg.Device) *netcfg.Device {
	for _, l := range v.inSubnet(a.Subnet()) {
		if l.Index != d.Index && l.Up && l.Kind != "loopback" && vrf(l) == vrf(d) {
			return l
		}
	}
	return nil
}

// vrf returns the name of the VRF of a device, or "".
func vrf(d *netcfg.Device) string {
	if d.MasterKind == "vrf" {
		return d.Master
	}
	return ""
}

// setting returns a sysctl of a device in the thread's network namespace. The family is ipv4 or ipv6. Without a named
// device, those of all links are read at once.
func (v *view) setting(family, device, name string) (string, bool) {
	if l := v.link(device); l != nil && v.Device == "" && v.host != nil {
		return v.host.LinkSysctl(l.Index, family, name)
	}
	path := "/proc/sys/net/" + family + "/conf/" + device + "/" + name
	s, read := v.settings[path]
	if !read {
		b, err := v.file(path)
		s = setting{strings.TrimSpace(string(b)), err == nil}
		if v.settings == nil {
			v.settings = map[string]setting{}
		}
		v.settings[path] = s
	}
	return s.value, s.known
}

// A setting is the value of a sysctl, if there is one.
type setting struct {
	value string
	known bool
}

// ip returns a command of ip(8).
func ip(words ...string) fix.Command {
	return fix.InNamespace(append([]string{"ip"}, words...)...)
}

// duplicate finds IPv6 addresses that another host on the link also has: those of the device, and of its bridge.
func duplicate(v *view) (found []Finding) {
	links := []*netcfg.Device{v.device}
	if bridge := v.layer3(); bridge != v.device && v.asked() {
		links = append(links, bridge)
	}
	for _, l := range links {
		for _, a := range l.Addresses {
			if !a.Duplicate() {
				continue
			}
			where, of := "its link", ""
			if l != v.device {
				where, of = "the link of its bridge", " of "+words.Escape(l.Name)
			}
			found = append(found, one(Error, fmt.Sprintf("another host on %s has the address %s%s", where, a, of),
				"duplicate address detection failed (dadfailed), so the kernel does not use the address"+v.twin(l, a),
				fix.Run(ip("addr", "del", a.String(), "dev", l.Name)))...)
		}
	}
	return found
}

// twin names the other host that has an address of this one, if its MAC address is known.
func (v *view) twin(l *netcfg.Device, a netcfg.Address) string {
	for _, n := range v.host.Neighbours(l.Index) {
		if n.Index == l.Index && n.To == a.Local && len(n.MAC) > 0 {
			return "; the other host has the MAC address " + n.MAC.String()
		}
	}
	return ""
}

// tentative finds IPv6 addresses that cannot be used until the device has a carrier.
func tentative(v *view) []Finding {
	d := v.device
	for _, a := range own(d) {
		if !a.Tentative() || a.Duplicate() || d.Carrier {
			continue
		}
		if !v.expectsProgram() || !d.Up {
			return ok("its address " + a.String() + " is tentative until a program attaches")
		}
		return one(Warning,
			"its address "+a.String()+" is tentative: the kernel waits for a carrier to check for duplicates",
			"a program cannot bind to it: \"cannot assign requested address\"",
			fix.Run(ip("addr", "del", a.String(), "dev", d.Name),
				ip("addr", "add", a.String(), "dev", d.Name, "nodad")))
	}
	return nil
}

// noLinkLocal finds IPv6 without a link-local address. Routing protocols and neighbour discovery require one.
func noLinkLocal(v *view) []Finding {
	d := v.device
	global := false
	for _, a := range d.Addresses {
		if a.Local.Is6() && a.Local.IsLinkLocalUnicast() {
			return nil
		}
		global = global || a.Local.Is6()
	}
	if !v.asked() || !global || !d.Up || !d.Carrier {
		return nil
	}
	if mode, _ := v.setting("ipv6", d.Name, "addr_gen_mode"); mode != "1" {
		return nil
	}
	return one(Warning, "it has an IPv6 address, but no link-local one (addrgenmode none)",
		"routing protocols and router advertisements do not work",
		fix.Run(fix.Sysctl("ipv6", d.Name, "addr_gen_mode", "3")))
}

// subnetTwice finds another link with an address in the same network.
func subnetTwice(v *view) []Finding {
	d := v.device
	if !d.Up || d.MasterKind == "bridge" {
		return nil
	}
	for _, a := range own(d) {
		if a.Subnet().IsSingleIP() {
			continue
		}
		if other := v.sameSubnet(a, d); other != nil {
			what := fmt.Sprintf("%s also has an address in %s", words.Escape(other.Name), a.Subnet())
			means := "the kernel sends packets to that network through only one of the two"
			if other.Kind == "tun" && !other.InUse() && other.Master == "" && d.InUse() {
				return one(Error, what, means+"; no program is attached to "+words.Escape(other.Name),
					withoutNetwork(other, a.Subnet()), fix.Fix{After: "  # if it is no longer needed",
						Commands: []fix.Command{fix.Tunadm("delete", other.Name)}})
			}
			return one(Error, what, means+"; the address below is an example (an unused network)",
				fix.Run(fix.Tunadm("set", d.Name, "--remove-address", a.String(), "--add-address",
					v.freeAddress(a.Local.Is6()).String())))
		}
	}
	return nil
}

// withoutNetwork returns the command that removes the addresses of a network from a TUN/TAP device.
func withoutNetwork(l *netcfg.Device, subnet netip.Prefix) fix.Fix {
	var flags []string
	for _, a := range own(l) {
		if a.Subnet() == subnet {
			flags = append(flags, "--remove-address", a.String())
		}
	}
	return fix.Run(fix.Tunadm("set", l.Name, flags...))
}

// ownAddress explains why a ping to the device's own address proves nothing.
func ownAddress(v *view) []Finding {
	for _, a := range own(v.device) {
		if !target(a).IsValid() {
			continue
		}
		return ok("packets to its own address " + a.Local.String() +
			" are delivered locally and never reach the program: ping another address in " + a.Subnet().String())
	}
	return nil
}
