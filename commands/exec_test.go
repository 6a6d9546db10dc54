package commands

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/netcfg"
)

// handed is the program "handed [--read ADDRESS] ARGS...": it prints which descriptors it was given, what exec tells of
// them, and its arguments. It sends a packet to ADDRESS, and reads until that one comes.
func handed(args []string) int {
	for fd := 3; fd < 300; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue // none, or one of this program's own
		}
		flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		must(err)
		how := map[bool]string{true: "does not block", false: "blocks"}[flags&unix.O_NONBLOCK != 0]
		ifr, err := unix.NewIfreq("")
		must(err)
		must(unix.IoctlIfreq(fd, unix.TUNGETIFF, ifr))
		fmt.Println(fd, ifr.Name(), how)
	}
	if len(args) == 2 && args[0] == "--read" {
		fmt.Printf("pid %d, LISTEN_PID %s\n", os.Getpid(), os.Getenv("LISTEN_PID"))
		readPacket(args[1])
		return 0
	}
	fmt.Printf("LISTEN_FDS %s, LISTEN_FDNAMES %s\n", os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES"))
	if a, set := os.LookupEnv("A"); set {
		fmt.Println("A", a)
	}
	if _, set := os.LookupEnv("LISTEN_PIDFDID"); set {
		fmt.Println("LISTEN_PIDFDID is still there")
	}
	if len(args) > 0 {
		fmt.Println(strings.Trim(fmt.Sprintf("%q", args), "[]"))
	}
	return 0
}

// stopped is the program "stopped DEVICE": exec --vnet-hdr to which SIGTERM arrives before it attaches. The
// program that it would become fails.
func stopped(args []string) int {
	ns, err := netcfg.Open("")
	must(err)
	attached, err := attach.Prepare(ns, attach.Request{Device: args[0], VnetHdr: true})
	must(err)
	execution, err := prepareExecution([]string{"false"}, rights{})
	must(err)
	held := holdSignals()
	must(unix.Kill(os.Getpid(), unix.SIGTERM))
	for end := time.Now().Add(nstest.Patience(10 * time.Second)); len(held) == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			must(errors.New("no signal"))
		}
	}
	must(execution.launch(ns, attached, held))
	return 0
}

func readPacket(address string) {
	to := netip.MustParseAddr(address)
	c, err := net.Dial("udp", netip.AddrPortFrom(to, 9).String())
	must(err)
	go func() { // the kernel drops packets until it has noticed the carrier, a moment after the attachment
		for range 1000 {
			_, err := c.Write([]byte("hello"))
			must(err)
			time.Sleep(10 * time.Millisecond)
		}
		must(errors.New("no packet"))
	}()
	for packet := make([]byte, 2000); ; {
		n, err := unix.Read(3, packet)
		must(err)
		if ip := to.As4(); n >= 20 && packet[0] == 0x45 && string(packet[16:20]) == string(ip[:]) {
			fmt.Printf("read %d bytes to %s\n", n, to)
			return
		}
	}
}
