package doctor

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// bridgeAddress looks for an address on a port, where the bridge should have it.
func bridgeAddress(v *view) []Finding {
	d := v.device
	if d.MasterKind != "bridge" {
		return nil
	}
	for _, a := range own(d) {
		return one(Fault, fmt.Sprintf("it has the address %s, and is a port of %s", a, netcfg.Escape(d.Master)),
			"a port hands all that comes in to the bridge: nobody answers at this address",
			fmt.Sprintf("tunadm set %s --remove-address %s && ip addr replace %s dev %s", netcfg.Word(d.Name), netcfg.Word(a.String()), a, netcfg.Word(d.Master)))
	}
	return nil
}

// own are the addresses of a device, without those that IPv6 makes for itself.
func own(d *netcfg.Device) (addresses []netcfg.Address) {
	for _, a := range d.Addresses {
		if a.Local.Is4() || !a.Local.IsLinkLocalUnicast() {
			addresses = append(addresses, a)
		}
	}
	return addresses
}

// noAddress looks for a device that is asked for by name, is up, and has none.
func noAddress(v *view) []Finding {
	d := v.device
	if a := own(d); len(a) > 0 {
		if v.asked() && d.Up && len(d.Routes) == 0 && d.Master == "" && !slices.ContainsFunc(a, func(a netcfg.Address) bool { return target(a).IsValid() }) {
			return one(Warning, fmt.Sprintf("its address %s is of one host alone, and no route leads to it", a[0]), "this host sends nothing to it; the length below is an example",
				fmt.Sprintf("tunadm set %s --add-address %s/%d", netcfg.Word(d.Name), a[0].Local, map[bool]int{true: 24, false: 64}[a[0].Local.Is4()]))
		}
		return nil
	}
	if !d.Up || d.Master != "" || !v.asked() {
		return ok("it has no address of its own")
	}
	return one(Warning, "it has no address", "this host sends nothing to it, unless a route says so; the address below is an example, of a network that is free here", fmt.Sprintf("tunadm set %s --address %s", netcfg.Word(d.Name), v.freeAddress(false)))
}

// freeAddress is one of a network that no link of this host has.
func (v *view) freeAddress(ipv6 bool) netcfg.Address {
	for n := range 128 {
		a := netcfg.Address{Local: netip.AddrFrom4([4]byte{192, 168, byte(77 + n), 1}), Bits: 24}
		if ipv6 {
			a = netcfg.Address{Local: netip.AddrFrom16([16]byte{0: 0xfd, 2: 0x77, 7: byte(n), 15: 1}), Bits: 64}
		}
		if !slices.ContainsFunc(v.network.Links, func(l *netcfg.Device) bool { return overlap(l, a) }) {
			return a
		}
	}
	return netcfg.Address{Local: netip.AddrFrom4([4]byte{10, 77, 0, 1}), Bits: 24}
}

// overlap says whether a link has an address in a network that has something in common with that of a.
func overlap(l *netcfg.Device, a netcfg.Address) bool {
	return slices.ContainsFunc(own(l), func(b netcfg.Address) bool { return b.Subnet().Overlaps(a.Subnet()) })
}

// sameSubnet is another link than that of the index, up and in the same routing domain, with an address in the same network, or nil.
func (v *view) sameSubnet(a netcfg.Address, d *netcfg.Device) *netcfg.Device {
	for _, l := range v.network.Links {
		if l.Index == d.Index || !l.Up || l.Kind == "loopback" || vrf(l) != vrf(d) {
			continue
		}
		for _, b := range own(l) {
			if b.Subnet() == a.Subnet() {
				return l
			}
		}
	}
	return nil
}

func vrf(d *netcfg.Device) string {
	if d.MasterKind == "vrf" {
		return d.Master
	}
	return ""
}

// setting reads a sysctl of a device in the thread's network namespace. family is ipv4 or ipv6.
func setting(family, device, name string) (string, bool) {
	b, err := os.ReadFile("/proc/sys/net/" + family + "/conf/" + device + "/" + name)
	return strings.TrimSpace(string(b)), err == nil
}

// sysctl is the command that sets one.
func sysctl(family, device, name, value string) string {
	return "sysctl -w " + netcfg.Word("net."+family+".conf."+strings.ReplaceAll(device, ".", "/")+"."+name+"="+value)
}

// ipv6Off looks for a device without IPv6, where new devices have it.
func ipv6Off(v *view) []Finding {
	d := v.device
	off, _ := setting("ipv6", d.Name, "disable_ipv6")
	usual, _ := setting("ipv6", "default", "disable_ipv6")
	if off != "1" || d.Master != "" || usual == "1" && !v.asked() {
		return nil
	}
	return one(Warning, "IPv6 is switched off on it", "it has no IPv6 address, and takes none: \"permission denied\"", sysctl("ipv6", d.Name, "disable_ipv6", "0"))
}

// duplicate looks for IPv6 addresses that somebody else has.
func duplicate(v *view) (found []Finding) {
	d := v.device
	for _, a := range d.Addresses {
		if a.Duplicate() {
			found = append(found, one(Fault, "somebody else on its link has the address "+a.String(), "the kernel does not use it: duplicate address detection failed",
				fmt.Sprintf("ip addr del %s dev %s", a, netcfg.Word(d.Name)))...)
		}
	}
	return found
}

// tentative looks for IPv6 addresses that cannot be used yet.
func tentative(v *view) []Finding {
	d := v.device
	for _, a := range own(d) {
		if !a.Tentative() || a.Duplicate() || d.Carrier {
			continue
		}
		if !v.asked() || !d.Up {
			return ok("its address " + a.String() + " is tentative until a program is attached")
		}
		return one(Warning, "its address "+a.String()+" is tentative: it waits for a carrier to look for duplicates", "a program cannot bind to it: \"cannot assign requested address\"",
			fmt.Sprintf("ip addr del %s dev %s && ip addr add %s dev %s nodad", a, netcfg.Word(d.Name), a, netcfg.Word(d.Name)))
	}
	return nil
}

// noLinkLocal looks for IPv6 without a link-local address, which routing protocols and neighbour discovery need.
func noLinkLocal(v *view) []Finding {
	d := v.device
	global := false
	for _, a := range d.Addresses {
		if a.Local.Is6() && a.Local.IsLinkLocalUnicast() {
			return nil
		}
		global = global || a.Local.Is6()
	}
	mode, known := setting("ipv6", d.Name, "addr_gen_mode")
	if !v.asked() || !global || !known || !d.Up || !d.Carrier || mode != "1" {
		return nil
	}
	return one(Warning, "it has an IPv6 address, and none that is link-local (addrgenmode none)", "routing protocols and router advertisements do not work",
		sysctl("ipv6", d.Name, "addr_gen_mode", "3"))
}

// subnetTwice looks for another link with an address in the same network.
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
			return one(Fault, fmt.Sprintf("%s has an address in %s too", netcfg.Escape(other.Name), a.Subnet()), "packets to that network go to one of the two alone; the address below is an example, of a network that is free here",
				fmt.Sprintf("tunadm set %s --remove-address %s --add-address %s", netcfg.Word(d.Name), netcfg.Word(a.String()), v.freeAddress(a.Local.Is6())))
		}
	}
	return nil
}

// ownAddress tells what ping to the device's own address proves.
func ownAddress(v *view) []Finding {
	for _, a := range own(v.device) {
		if !target(a).IsValid() {
			continue
		}
		return ok("packets to " + a.Local.String() + " itself stay in this host, and never come to the program: ping another address of " + a.Subnet().String())
	}
	return nil
}
