package commands

import (
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
)

// lossy is the program "lossy ADDRESS TO": a path over UDP between the one that sends to ADDRESS and TO. Of 40
// datagrams in each direction it drops one, and exchanges two.
func lossy(args []string) int {
	near, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.MustParseAddrPort(args[0])))
	must(err)
	far, err := net.Dial("udp", args[1])
	must(err)
	fmt.Println("ready")
	var from atomic.Pointer[netip.AddrPort]
	go worsen(far.Read, func(p []byte) {
		if to := from.Load(); to != nil {
			_, _ = near.WriteToUDPAddrPort(p, *to)
		}
	})
	worsen(func(p []byte) (int, error) {
		n, sender, err := near.ReadFromUDPAddrPort(p)
		from.Store(&sender)
		return n, err
	}, func(p []byte) { _, _ = far.Write(p) })
	return 0
}

// worsen carries datagrams in one direction.
func worsen(read func([]byte) (int, error), write func([]byte)) {
	const period, lost, late = 40, 13, 29
	var kept []byte
	for i, buffer := 0, make([]byte, 65535); ; i++ {
		n, err := read(buffer)
		if err != nil {
			i--
			continue
		}
		switch i % period {
		case lost:
		case late:
			kept = append(kept[:0], buffer[:n]...)
		default:
			write(buffer[:n])
			if kept != nil {
				write(kept)
				kept = nil
			}
		}
	}
}
