package trace

import (
	"errors"

	"github.com/tunadm/tunadm/internal/bpf"
)

// A layout is what the programs have to know of the running kernel: where the members of its structs are, and what its
// enumerations mean.
type layout struct {
	reasons map[uint32]string // the kernel's names of the reasons
	noise   []uint32          // the reasons that are no loss
	// receiver: the tracepoint also passes the socket that receives the packet (Linux 6.11)
	receiver bool

	packetDevice, packetIncoming, packetRoute, packetSocket                                    int
	packetLength, packetTail, packetData, packetHead, packetMAC, packetNetwork, packetProtocol int
	packetMark                                                                                 int
	devIndex, devNet, netNumber, routeDevice, socketNet                                        int

	tunFile                                                      bool // the following are known
	socketProtocol, protocolName, fileSocket, fileTun, tunDevice int
}

// A target is the device whose packets are traced.
type target struct {
	Device
	namespace uint32 // the inode number of its network namespace
}

// The errors of a kernel that cannot be traced.
var (
	errNoReasons = errors.New("the kernel gives no reasons for dropped packets: Linux 5.17 does")
	errWidth     = errors.New("the kernel is not one of 64 bits")
)

// readLayout reads the kernel's own description of its types.
func readLayout() (*layout, error) {
	types, err := bpf.KernelTypes("tun")
	if err != nil {
		return nil, err
	}
	l := &layout{reasons: types.Enumeration("skb_drop_reason")}
	passed := types.Arguments(dropped.tracepoint())
	switch {
	case types.Size("list_head") != 16:
		return nil, errWidth
	case passed < 3 || len(l.reasons) == 0:
		return nil, errNoReasons
	}
	l.receiver = passed >= 4
	for value, name := range l.reasons {
		if noReason(name) {
			l.noise = append(l.noise, value)
		}
	}
	return l, l.locate(types)
}

// locate finds the members.
func (l *layout) locate(types *bpf.Types) error {
	type member struct {
		to        *int
		structure string
		path      []string
	}
	find := func(members []member) (err error) {
		for _, m := range members {
			if *m.to, err = types.Offset(m.structure, m.path...); err != nil {
				return err
			}
		}
		return nil
	}
	l.tunFile = find([]member{
		{&l.socketProtocol, "sock", []string{"__sk_common", "skc_prot"}},
		{&l.protocolName, "proto", []string{"name"}},
		{&l.fileSocket, "tun_file", []string{"sk"}},
		{&l.fileTun, "tun_file", []string{"tun"}},
		{&l.tunDevice, "tun_struct", []string{"dev"}},
	}) == nil
	return find([]member{
		{&l.packetDevice, "sk_buff", []string{"dev"}},
		{&l.packetIncoming, "sk_buff", []string{"skb_iif"}},
		{&l.packetRoute, "sk_buff", []string{"_skb_refdst"}},
		{&l.packetSocket, "sk_buff", []string{"sk"}},
		{&l.packetLength, "sk_buff", []string{"len"}},
		{&l.packetTail, "sk_buff", []string{"tail"}},
		{&l.packetData, "sk_buff", []string{"data"}},
		{&l.packetHead, "sk_buff", []string{"head"}},
		{&l.packetMAC, "sk_buff", []string{"mac_header"}},
		{&l.packetNetwork, "sk_buff", []string{"network_header"}},
		{&l.packetProtocol, "sk_buff", []string{"protocol"}},
		{&l.packetMark, "sk_buff", []string{"mark"}},
		{&l.devIndex, "net_device", []string{"ifindex"}},
		{&l.devNet, "net_device", []string{"nd_net", "net"}},
		{&l.netNumber, "net", []string{"ns", "inum"}},
		{&l.routeDevice, "dst_entry", []string{"dev"}},
		{&l.socketNet, "sock", []string{"__sk_common", "skc_net", "net"}},
	})
}
