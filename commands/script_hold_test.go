package commands

import (
	"encoding/hex"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/poll"
)

// hold is the command "hold NAME FLAGS": the test itself is a program that attaches, with hexadecimal IFF_ flags, until
// release. Its process is $HOLDER.
func hold(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: hold NAME FLAGS")
	}
	flags, err := strconv.ParseUint(args[1], 16, 16)
	ts.Check(err)
	f, err := nstest.Attach(args[0], uint16(flags))
	ts.Check(err)
	files := ts.Value(held{}).(*[]*os.File)
	*files = append(*files, f)
	ts.Defer(func() { f.Close() })
	ts.Setenv("HOLDER", strconv.Itoa(os.Getpid()))
	settle(ts)
}

// settle waits until the kernel has noticed the carrier of each link: until then, it drops packets uncounted.
func settle(ts *testscript.TestScript) {
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		unnoticed, err := nstest.Unnoticed()
		ts.Check(err)
		if len(unnoticed) == 0 {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("the kernel does not notice the carrier of %q", unnoticed)
		}
	}
}

// send is the command "send HEX...": what was held last writes a packet to its device. With "!", the driver refuses
// the packet.
func send(ts *testscript.TestScript, neg bool, args []string) {
	packet, err := hex.DecodeString(strings.Join(args, ""))
	ts.Check(err)
	settle(ts)
	files := *ts.Value(held{}).(*[]*os.File)
	fd := int(files[len(files)-1].Fd())
	ts.Check(unix.SetNonblock(fd, true)) // as most programs: the driver then has other ways for packets
	_, err = unix.Write(fd, packet)
	if neg && err == nil {
		ts.Fatalf("the driver accepts the packet")
	} else if !neg {
		ts.Check(err)
		awaitDelivery(ts)
	}
}

// awaitDelivery waits until no processor has a packet left in its backlog: on a busy machine, the kernel leaves them to
// ksoftirqd, and counts what it drops only then.
func awaitDelivery(ts *testscript.TestScript) {
	const backlog, processor = 11, 12 // fields
	left := map[string]bool{}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		b, err := os.ReadFile("/proc/net/softnet_stat")
		ts.Check(err)
		waits := false
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			full := strings.Trim(f[backlog], "0") != ""
			if was, seen := left[f[processor]]; !seen || was {
				left[f[processor]], waits = full, waits || full
			}
		}
		if !waits {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("packets wait in the kernel: %s", b)
		}
	}
}

// receive is the command "receive N": what was held last reads N packets of its device, and waits for them.
func receive(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: receive N")
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	files := *ts.Value(held{}).(*[]*os.File)
	fd, packet := int(files[len(files)-1].Fd()), make([]byte, 1<<16)
	for range n {
		if !poll.Input(fd, time.Now().Add(patience)) {
			ts.Fatalf("no packet came")
		}
		_, err := unix.Read(fd, packet)
		ts.Check(err)
	}
}

// release is the command that lets go all that the script holds.
func release(ts *testscript.TestScript, _ bool, _ []string) {
	files := ts.Value(held{}).(*[]*os.File)
	syscall.ForkLock.Lock() // a child of another test has the descriptors too, until it has become its program
	defer syscall.ForkLock.Unlock()
	for _, f := range *files {
		ts.Check(f.Close())
	}
	*files = nil
}
