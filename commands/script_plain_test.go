package commands

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// offload is the program "offload NAME": it attaches to a tun with a virtio header and offloads, and ends.
func offload(args []string) int {
	f, err := nstest.Attach(args[0], unix.IFF_TUN|unix.IFF_NO_PI|unix.IFF_VNET_HDR)
	must(err)
	must(unix.IoctlSetInt(int(f.Fd()), unix.TUNSETOFFLOAD, unix.TUN_F_CSUM|unix.TUN_F_TSO4))
	return 0
}

// plain is the program "plain NAME MTU PEER": it attaches to a tun like a program that knows neither virtio headers nor
// offloads. It lets the host send a datagram and TCP segments to PEER, and prints each kind of packet that it could not
// pass on: those that are longer than the MTU, and those with a wrong checksum.
func plain(args []string) int {
	f, err := nstest.Attach(args[0], unix.IFF_TUN|unix.IFF_NO_PI)
	must(err)
	must(unix.IoctlSetPointerInt(int(f.Fd()), unix.TUNSETCARRIER, 1))
	mtu, peer := number(args[1]), netip.MustParseAddr(args[2])
	to := netip.AddrPortFrom(peer, 9).String()
	go func() {
		conn, err := net.Dial("udp", to)
		for must(err); ; time.Sleep(10 * time.Millisecond) { // the kernel drops packets until it notices the carrier
			_, err = conn.Write(make([]byte, 1000))
			must(err)
		}
	}()
	go func() {
		conn, err := net.Dial("tcp", to)
		must(err)
		_, _ = conn.Write(make([]byte, 10*mtu))
	}()
	wrong, datagrams, segments := map[string]bool{}, 0, 0
	for packet := make([]byte, 1<<16); datagrams == 0 || segments < 5; {
		n, err := f.Read(packet)
		must(err)
		p := packet[:n]
		if n < 28 || p[0] != 0x45 || netip.AddrFrom4([4]byte(p[16:])) != peer {
			continue
		}
		name := map[byte]string{unix.IPPROTO_UDP: "udp", unix.IPPROTO_TCP: "tcp"}[p[9]]
		pseudo := slices.Concat(p[12:20], []byte{0, p[9]}, binary.BigEndian.AppendUint16(nil, uint16(n-20)))
		switch {
		case n > mtu:
			wrong[name+": too long"] = true
		case onesSum(p[:20]) != 0xffff || onesSum(slices.Concat(pseudo, p[20:])) != 0xffff:
			wrong[name+": wrong checksum"] = true
		}
		switch {
		case name == "udp":
			datagrams++
		case name == "tcp" && p[33]&2 != 0: // SYN
			_, err = f.Write(accept(p))
			must(err)
		case name == "tcp" && n > 40:
			segments += (n-41)/(mtu-40) + 1
		}
	}
	for what := range wrong {
		fmt.Println(what)
	}
	if len(wrong) > 0 {
		return 1
	}
	fmt.Println("all right")
	return 0
}

// accept returns the answer to a SYN over IPv4. The window is 64 KiB.
func accept(syn []byte) []byte {
	answer := make([]byte, 40)
	copy(answer, []byte{0x45, 0, 0, 40, 0, 0, 0, 0, 64, unix.IPPROTO_TCP})
	copy(answer[12:], syn[16:20])
	copy(answer[16:], syn[12:16])
	binary.BigEndian.PutUint16(answer[10:], ^onesSum(answer[:20]))
	tcp := answer[20:]
	copy(tcp, syn[22:24])
	copy(tcp[2:], syn[20:22])
	binary.BigEndian.PutUint32(tcp[4:], 1000)
	binary.BigEndian.PutUint32(tcp[8:], binary.BigEndian.Uint32(syn[24:])+1)
	tcp[12], tcp[13], tcp[14], tcp[15] = 5<<4, 0x12, 0xff, 0xff // 20 bytes, SYN and ACK, window
	pseudo := slices.Concat(answer[12:20], []byte{0, unix.IPPROTO_TCP, 0, 20}, tcp)
	binary.BigEndian.PutUint16(tcp[16:], ^onesSum(pseudo))
	return answer
}

// onesSum returns the one's complement sum of the 16-bit words of b.
func onesSum(b []byte) uint16 {
	sum := uint32(0)
	for i, c := range b {
		sum += uint32(c) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return uint16(sum)
}
