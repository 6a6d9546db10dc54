package commands

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// simpletun is the program "simpletun NAME FLAGS listen|connect ADDRESS [udp]", as its format is described: over TCP
// the length of each packet, two bytes in network order, and then the packet, in two writes, with Nagle's algorithm on.
func simpletun(args []string) int {
	flags := map[string]uint16{"tun": unix.IFF_TUN, "tap": unix.IFF_TAP}[args[1]]
	device, err := nstest.Attach(args[0], flags|unix.IFF_NO_PI)
	must(err)
	if len(args) > 4 {
		simpletunUDP(device, args[2], args[3])
		return 0
	}
	var conn net.Conn
	if args[2] == "connect" {
		conn, err = net.Dial("tcp", args[3])
	} else {
		var l net.Listener
		l, err = net.Listen("tcp", args[3])
		must(err)
		fmt.Println("ready")
		conn, err = l.Accept()
	}
	must(err)
	must(conn.(*net.TCPConn).SetNoDelay(false))
	go func() {
		packet := make([]byte, 65535)
		for {
			n, err := device.Read(packet)
			must(err)
			if binary.Write(conn, binary.BigEndian, uint16(n)) != nil {
				return // the other end is gone, which the reader below sees
			}
			if _, err = conn.Write(packet[:n]); err != nil {
				return
			}
		}
	}()
	for {
		var n uint16
		if binary.Read(conn, binary.BigEndian, &n) != nil {
			return 0
		}
		packet := make([]byte, n)
		_, err := io.ReadFull(conn, packet)
		must(err)
		_, err = device.Write(packet)
		must(err)
	}
}

// simpletunUDP carries a packet a datagram.
func simpletunUDP(device *os.File, role, address string) {
	a, err := net.ResolveUDPAddr("udp", address)
	must(err)
	var conn *net.UDPConn
	if role == "connect" {
		conn, err = net.DialUDP("udp", nil, a)
	} else {
		conn, err = net.ListenUDP("udp", a)
	}
	must(err)
	fmt.Println("ready")
	peers := make(chan *net.UDPAddr, 1000)
	go func() {
		packet, peer := make([]byte, 65535), (*net.UDPAddr)(nil)
		for {
			n, err := device.Read(packet)
			must(err)
			for len(peers) > 0 {
				peer = <-peers
			}
			if role == "connect" {
				_, _ = conn.Write(packet[:n])
			} else if peer != nil {
				_, _ = conn.WriteToUDP(packet[:n], peer)
			}
		}
	}()
	for packet := make([]byte, 65535); ; {
		n, from, err := conn.ReadFromUDP(packet)
		if err != nil {
			continue
		}
		select {
		case peers <- from:
		default:
		}
		_, err = device.Write(packet[:n])
		must(err)
	}
}

// The bytes that are poured are the same each time.
func noise() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{7}) }

// pour is the program "pour tcp|udp ADDRESS N": it sends N bytes and prints their checksum, or N datagrams that have
// theirs inside.
func pour(args []string) int {
	conn, err := net.Dial(args[0], args[1])
	must(err)
	if args[0] == "tcp" {
		sum := sha256.New()
		_, err = io.CopyN(io.MultiWriter(conn, sum), noise(), int64(number(args[2])))
		must(err)
		must(conn.(*net.TCPConn).CloseWrite())
		_, err = io.Copy(io.Discard, conn)
		must(err)
		fmt.Printf("ready\n%x\n", sum.Sum(nil))
		return 0
	}
	source := noise()
	for i := range number(args[2]) {
		payload := make([]byte, 1+i%1300)
		_, _ = source.Read(payload)
		sum := sha256.Sum256(payload)
		_, _ = conn.Write(append(sum[:], payload...))
	}
	return 0
}

// drain is the program "drain tcp|udp ADDRESS": the other end. Of datagrams it takes some, and then says how many were
// not as they were sent.
func drain(args []string) int {
	if args[0] == "tcp" {
		l, err := net.Listen("tcp", args[1])
		must(err)
		fmt.Println("ready")
		conn, err := l.Accept()
		must(err)
		sum := sha256.New()
		_, err = io.Copy(sum, conn)
		must(err)
		fmt.Printf("%x\n", sum.Sum(nil))
		return 0
	}
	conn, err := net.ListenPacket("udp", args[1])
	must(err)
	fmt.Println("ready")
	packet, some, wrong := make([]byte, 65535), 0, 0
	for {
		n, _, err := conn.ReadFrom(packet)
		if err != nil {
			break
		}
		if sum := sha256.Sum256(packet[sha256.Size:n]); string(sum[:]) != string(packet[:sha256.Size]) {
			wrong++
		}
		wait := patience
		if some++; some > 100 {
			wait = nstest.Patience(time.Second)
		}
		must(conn.SetReadDeadline(time.Now().Add(wait)))
	}
	fmt.Printf("some: %t, wrong: %d\n", some > 100, wrong)
	return 0
}
