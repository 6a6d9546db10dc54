package doctor

import (
	"iter"
	"net/netip"
	"slices"

	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/netcfg"
)

// A question about one device reads each other link when a check asks for it: there may be thousands. Only what is
// about all links reads them all.

// link returns the link with a name or an alternative name, or nil.
func (v *view) link(name string) *netcfg.Device {
	if l, known := v.links.names[name]; known || v.links.all != nil || name == "" {
		return l
	}
	l := v.readLink(0, name)
	v.links.names[name] = l
	return l
}

// byIndex returns the link with an index, or nil.
func (v *view) byIndex(number int) *netcfg.Device {
	if l, known := v.links.numbers[number]; known || v.links.all != nil || number == 0 {
		return l
	}
	l := v.readLink(number, "")
	v.links.numbers[number] = l
	return l
}

// readLink reads one link. It returns the same one for the name and the index.
func (v *view) readLink(number int, name string) *netcfg.Device {
	l, err := v.namespace.AnyLink(number, name)
	if err != nil {
		v.fail(err)
		return nil
	}
	if l == nil {
		return nil
	}
	if known := v.links.numbers[l.Index]; known != nil {
		return known
	}
	v.links.add(l)
	return l
}

// fail remembers the first error.
func (v *view) fail(err error) {
	if v.err == nil {
		v.err = err
	}
}

// every returns all links. Those that were read before stay the same.
func (v *view) every() []*netcfg.Device {
	if v.links.all == nil {
		if _, err := v.readNetwork(); err != nil {
			v.fail(err)
			return nil
		}
	}
	return v.links.all
}

// readNetwork reads all links, their sysctls and the policy rules. It returns the TUN/TAP devices, sorted by name.
func (v *view) readNetwork() (devices []*netcfg.Device, err error) {
	network, err := v.namespace.Network(v.host.LinkSysctls())
	if err != nil {
		return nil, err
	}
	for i, l := range network.Links {
		if known := v.links.numbers[l.Index]; known != nil {
			network.Links[i] = known
		} else if l.Kind == "tun" {
			devices = append(devices, l)
		}
	}
	if err := v.namespace.Complete(devices); err != nil {
		return nil, err
	}
	slices.SortFunc(devices, func(a, b *netcfg.Device) int { return link.CompareNames(a.Name, b.Name) })
	v.policies, v.links = network.Rules, indexOf(network.Links)
	return devices, nil
}

// addressesOf yields the addresses of a family, each with the index of its link, in the order of the links.
func (v *view) addressesOf(ipv6 bool) iter.Seq2[int, netcfg.Address] {
	return func(yield func(int, netcfg.Address) bool) {
		if v.links.all == nil {
			indexed(v.host.AllAddresses(ipv6, v.device.Index))(yield)
			return
		}
		for _, l := range v.links.all {
			for _, a := range l.Addresses {
				if a.Local.Is6() == ipv6 && !yield(l.Index, a) {
					return
				}
			}
		}
	}
}

// someAddresses yields addresses as addressesOf does: those of one link, and the first others.
func (v *view) someAddresses(ipv6 bool, index int) iter.Seq2[int, netcfg.Address] {
	if v.links.all != nil {
		return v.addressesOf(ipv6)
	}
	return indexed(v.host.SomeAddresses(ipv6, index))
}

func indexed(all []rtnl.Address) iter.Seq2[int, netcfg.Address] {
	return func(yield func(int, netcfg.Address) bool) {
		for _, a := range all {
			if !yield(a.Index, addressOf(a)) {
				return
			}
		}
	}
}

// otherLinks yields the addresses of a family that other links than the device and its bridge have, each with its link,
// if that may carry packets to other hosts now. It looks at few links, because there may be thousands: first at the one
// that leads to unknown networks, then in the order of the links. It reads only links with an address for which matters
// returns true; nil: all of these.
func (v *view) otherLinks(
	ipv6 bool, matters func(netcfg.Address) bool,
) iter.Seq2[*netcfg.Device, netcfg.Address] {
	const few = 16
	return func(yield func(*netcfg.Device, netcfg.Address) bool) {
		outer, layer3, seen := 0, v.layer3(), map[int]bool{}
		if way, err := v.host.Find(flow.Packet{To: unknownHost(ipv6)}); err == nil && way.Refusal == 0 {
			outer = way.Index
		}
		for _, isOuter := range []bool{true, false} {
			for number, a := range v.someAddresses(ipv6, outer) {
				if (number == outer) != isOuter || number == layer3.Index || number == v.device.Index ||
					!usable(a) {
					continue
				}
				if seen[number] = true; len(seen) > few {
					return
				}
				if matters != nil && !matters(a) {
					continue
				}
				if l := v.byIndex(number); l == nil || !l.Up || l.Kind == "loopback" || l.Kind == "tun" && !l.Carrier {
					continue
				} else if !yield(l, a) {
					return
				}
			}
		}
	}
}

// isOwn reports whether an address is one of this host.
func (v *view) isOwn(ip netip.Addr) bool { return v.indexOf(ip) != 0 }

// holderOf returns the link that has an address, or nil.
func (v *view) holderOf(ip netip.Addr) *netcfg.Device { return v.byIndex(v.indexOf(ip)) }

// indexOf returns the index of the link that has an address, or 0.
func (v *view) indexOf(ip netip.Addr) int {
	for number, a := range v.addressesIn(netip.PrefixFrom(ip, ip.BitLen())) {
		if a.Local == ip {
			return number
		}
	}
	return 0
}

// inSubnet returns the links with an address in this very network.
func (v *view) inSubnet(s netip.Prefix) (found []*netcfg.Device) {
	if v.links.all != nil {
		return v.links.subnets[s]
	}
	for number, a := range v.addressesIn(s) {
		if !usable(a) || a.Subnet() != s {
			continue
		}
		if l := v.byIndex(number); l != nil && !slices.Contains(found, l) {
			found = append(found, l)
		}
	}
	return found
}

// addressesIn yields addresses of which no other link that is up has one in these very networks of one family.
func (v *view) addressesIn(networks ...netip.Prefix) iter.Seq2[int, netcfg.Address] {
	if v.links.all == nil && v.localFirst() {
		if numbers, known := v.host.LinksIn(networks); known {
			return v.addressesAt(numbers, false)
		}
	}
	return v.addressesOf(networks[0].Addr().Is6())
}

// siblings yields the other ports of the bridge of the device, in the order of the links.
func (v *view) siblings() iter.Seq[*netcfg.Device] {
	return func(yield func(*netcfg.Device) bool) {
		d := v.device
		for _, l := range v.links.all {
			if l.Master == d.Master && l.Index != d.Index && !yield(l) {
				return
			}
		}
		if v.links.all != nil {
			return
		}
		for _, number := range v.siblingNumbers() {
			if l := v.byIndex(number); l != nil && !yield(l) {
				return
			}
		}
	}
}

// siblingNumbers returns the indexes of the other ports of the bridge of the device.
func (v *view) siblingNumbers() (numbers []int) {
	for number, p := range v.host.Ports() {
		if p.Bridge == v.device.MasterIndex() && number != v.device.Index && number != p.Bridge {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers
}

// addressedSibling returns the first other port of the bridge of the device that has an address, or nil.
func (v *view) addressedSibling() *netcfg.Device {
	if v.links.all != nil {
		for l := range v.siblings() {
			if len(own(l)) > 0 {
				return l
			}
		}
		return nil
	}
	first, ports := 0, v.siblingNumbers()
	for _, ipv6 := range []bool{false, true} {
		for number, a := range v.addressesAt(ports, ipv6) {
			if usable(a) && slices.Contains(ports, number) && (first == 0 || number < first) {
				first = number
			}
		}
	}
	return v.byIndex(first)
}

// addressesAt yields the addresses of a family that links have. If there are many links, it yields those of all links.
func (v *view) addressesAt(numbers []int, ipv6 bool) iter.Seq2[int, netcfg.Address] {
	const few = 32
	if len(numbers) > few {
		return v.addressesOf(ipv6)
	}
	return func(yield func(int, netcfg.Address) bool) {
		for _, number := range numbers {
			for _, a := range v.host.Addresses(number, ipv6) {
				if !yield(number, addressOf(a)) {
					return
				}
			}
		}
	}
}

func addressOf(a rtnl.Address) netcfg.Address { return netcfg.Address{Address: a.Address} }

// sharing returns another port of the bridge of the device that has its MAC address, or nil.
func (v *view) sharing(d *netcfg.Device) *netcfg.Device {
	if v.links.all == nil {
		for _, number := range v.siblingNumbers() {
			if slices.Equal(v.host.Ports()[number].MAC, d.MAC) {
				return v.byIndex(number)
			}
		}
		return nil
	}
	same := v.links.macs[d.Master+" "+d.MAC.String()]
	i := slices.IndexFunc(same, func(l *netcfg.Device) bool { return l.Index != d.Index })
	if i < 0 {
		return nil
	}
	return same[i]
}
