// Package evidence reads what the kernel knows about the way of packets: routes, neighbours, bridge ports, queueing
// disciplines, filters, XDP programs, counters and sysctls. It only reads. Each table is read once, when it is first
// needed, so all questions of one run see the same state.
package evidence

import (
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// A Host is the network namespace of the thread that opened it.
type Host struct {
	socket *rtnl.Socket
	file   func(path string) ([]byte, error)

	since *mark // what counters count from; nil: their start

	counts     map[string]map[string]uint64 // by file and name, since their start
	ways       map[flow.Packet]Way          // of Find
	addresses  map[addressed]*[]rtnl.Address
	neighbours map[int]*[]Neighbour // by link
	frames     map[int]*[]Neighbour // by bridge; 0: those of all
	queues     map[int]*[]Queue     // by link
	routes     map[selection]*[]rtnl.Route
	counted    map[string]trie // see tries; nil: not read yet
	nexthops   *[]Nexthop
	ports      map[int]*Port

	configurations map[int]*configuration // by the index of the link
	connected      *[]Socket
	listening      *[]Socket
	socketsOf      map[int][]Socket // by process
	descriptors    int              // looked at for them
	policies       *[]Policy
	uppers         *[]Upper
	states         *[]Template
}

// Open opens the network namespace of the thread.
func Open() (*Host, error) {
	s, err := rtnl.Open(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return fresh(s, files.Read), nil
}

// fresh returns a host of which nothing was read.
func fresh(s *rtnl.Socket, file func(path string) ([]byte, error)) *Host {
	return &Host{socket: s, file: file, counts: map[string]map[string]uint64{}, ways: map[flow.Packet]Way{},
		addresses: map[addressed]*[]rtnl.Address{}, neighbours: map[int]*[]Neighbour{}, frames: map[int]*[]Neighbour{},
		queues: map[int]*[]Queue{}, routes: map[selection]*[]rtnl.Route{},
		socketsOf: map[int][]Socket{}}
}

// Close closes the socket.
func (h *Host) Close() { h.socket.Close() }

// once returns a list, and reads it if it was not read before. A list that cannot be read is empty: what is not known
// is no evidence.
func once[T any](known **[]T, read func() ([]T, error)) []T {
	if *known == nil {
		list, _ := read()
		*known = &list
	}
	return **known
}

// onceOf returns the list of a key, as once does.
func onceOf[K comparable, T any](known map[K]*[]T, key K, read func() ([]T, error)) []T {
	list := known[key]
	defer func() { known[key] = list }()
	return once(&list, read)
}

// dump reads all objects of a kind.
func dump[T any](h *Host, r *nl.NetlinkRequest, decode func(body []byte) (T, bool)) func() ([]T, error) {
	return func() ([]T, error) { return some(h, r, 0, decode) }
}

// some reads the first objects of a kind, at least most of them if there are as many; 0: all.
func some[T any](h *Host, r *nl.NetlinkRequest, most int, decode func(body []byte) (T, bool)) ([]T, error) {
	if most != 0 {
		return rtnl.DumpSome(r, most, decode)
	}
	return rtnl.Dump(h.socket, r, decode)
}
