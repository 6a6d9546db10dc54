package commands

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
)

// carry is the program "carry FROM TO MEBIBYTES": it sends random bytes over TCP from one address of the host to
// another, and prints "whole" if they come as they went.
func carry(args []string) int {
	listener, err := net.Listen("tcp", net.JoinHostPort(args[1], "0"))
	must(err)
	sum := make(chan [sha256.Size]byte, 1)
	go func() {
		connection, err := listener.Accept()
		must(err)
		hash := sha256.New()
		_, err = io.Copy(hash, connection)
		must(err)
		sum <- [sha256.Size]byte(hash.Sum(nil))
	}()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(args[0])}}
	connection, err := dialer.Dial("tcp", listener.Addr().String())
	must(err)
	data := make([]byte, number(args[2])<<20)
	rand.Read(data)
	_, err = connection.Write(data)
	must(err)
	must(connection.Close())
	if <-sum != sha256.Sum256(data) {
		return 1
	}
	fmt.Println("whole")
	return 0
}

// relay is the program "relay [WORD...]": a user's own relay of what it is handed. It prints the words, its environment
// and its first packet.
func relay(args []string) int {
	if len(args) > 0 {
		fmt.Println(strings.Join(args, " "))
	}
	fmt.Println(os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"), os.Getenv("LISTEN_PID"))
	a, b := os.NewFile(3, "a"), os.NewFile(4, "b")
	gone := make(chan bool)
	for _, way := range [][2]*os.File{{a, b}, {b, a}} {
		go func() {
			copyPackets(way[0], way[1])
			gone <- true
		}()
	}
	<-gone
	return 3
}

// copyPackets gives back when a device goes.
func copyPackets(to, from *os.File) {
	packet := make([]byte, 1<<16)
	for {
		n, err := from.Read(packet)
		if err != nil {
			return
		}
		_, _ = to.Write(packet[:n])
	}
}
