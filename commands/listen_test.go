package commands

import (
	"net"
	"net/netip"
	"os"
	"strconv"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// listen is the command "listen tcp|udp ADDRESS PORT [DEVICE]": the test itself has a socket there, bound to a device,
// until release. It accepts no connection, has a backlog of 0, and reads no packet. An IPv6 socket accepts no IPv4.
func listen(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: listen tcp|udp ADDRESS PORT [DEVICE]")
	}
	address, err := netip.ParseAddr(args[1])
	ts.Check(err)
	port, err := strconv.Atoi(args[2])
	ts.Check(err)
	family, kind := unix.AF_INET, unix.SOCK_DGRAM
	if address.Is6() {
		family = unix.AF_INET6
	}
	if args[0] == "tcp" {
		kind = unix.SOCK_STREAM
	}
	fd, err := unix.Socket(family, kind|unix.SOCK_CLOEXEC, 0)
	ts.Check(err)
	f := os.NewFile(uintptr(fd), "socket")
	files := ts.Value(held{}).(*[]*os.File)
	*files = append(*files, f)
	ts.Defer(func() { f.Close() })
	if len(args) == 4 {
		ts.Check(unix.BindToDevice(fd, args[3]))
	}
	var to unix.Sockaddr
	if address.Is4() {
		to = &unix.SockaddrInet4{Port: port, Addr: address.As4()}
	} else {
		ts.Check(unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1))
		to = &unix.SockaddrInet6{Port: port, Addr: address.As16()}
	}
	ts.Check(unix.Bind(fd, to))
	if kind == unix.SOCK_STREAM {
		ts.Check(unix.Listen(fd, 0))
	}
}

// fill is the command "fill tcp|udp ADDRESS PORT": the test makes one TCP connection, which stays until the end, or
// sends more UDP packets than a receive buffer holds.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: fill tcp|udp ADDRESS PORT")
	}
	c, err := net.Dial(args[0], net.JoinHostPort(args[1], args[2]))
	ts.Check(err)
	ts.Defer(func() { c.Close() })
	if args[0] == "tcp" {
		return
	}
	for range 1000 {
		_, err := c.Write(make([]byte, 1000))
		ts.Check(err)
	}
}
