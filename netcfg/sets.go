package netcfg

import "net/netip"

// A file may declare tens of thousands of addresses and routes of one device, so the engine looks them up in maps.

// An addressKey identifies an address to the kernel.
type addressKey struct {
	local, peer netip.Addr
	bits        int
}

func (a Address) key() addressKey { return addressKey{a.Local, a.Peer, a.Bits} }

// An addressSet holds addresses by their keys.
type addressSet map[addressKey]struct{}

func setOfAddresses(list []Address) addressSet {
	s := make(addressSet, len(list))
	for _, a := range list {
		s.add(a)
	}
	return s
}

func (s addressSet) add(a Address) { s[a.key()] = struct{}{} }

func (s addressSet) has(a Address) bool {
	_, there := s[a.key()]
	return there
}

// A routeWay is the key of all routes with the same destination and gateway.
type routeWay struct {
	to            netip.Prefix
	via           netip.Addr
	metric, table uint32
	elsewhere     int
}

func (r Route) way() routeWay {
	return routeWay{r.To, r.Via, r.metric(), r.table(), r.kept.elsewhere}
}

// A routeSet holds routes by their ways. Routes of one way differ in their sources.
type routeSet map[routeWay][]Route

func setOfRoutes(list []Route) routeSet {
	s := make(routeSet, len(list))
	for _, r := range list {
		s.add(r)
	}
	return s
}

func (s routeSet) add(r Route) { s[r.way()] = append(s[r.way()], r) }

// has reports whether the set contains a route that is the same as r.
func (s routeSet) has(r Route) bool {
	for _, o := range s[r.way()] {
		if r.same(o) {
			return true
		}
	}
	return false
}
