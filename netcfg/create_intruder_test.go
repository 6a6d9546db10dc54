package netcfg

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/users"
)

// stranger is the UID of an ordinary user without any capability.
const stranger = 65534

// intrude attaches to each multi-queue device as soon as the kernel announces it, and changes its persistent settings.
// It stays attached to every second device. It prints a line for each device that it entered.
func intrude() error {
	heard, err := rtnl.Subscribe(rtnl.AnnouncementsSize, unix.RTNLGRP_LINK)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	fd := -1
	for n := 0; ; {
		if fd < 0 {
			if fd, err = unix.Open(nstest.Driver, unix.O_RDWR, 0); err != nil {
				return err
			}
		}
		err := heard.Receive(unix.MSG_DONTWAIT, func(h unix.NlMsghdr, body []byte) {
			d := decodeLink(body)
			if fd < 0 || d == nil || h.Type != unix.RTM_NEWLINK || !d.MultiQueue || d.Access != (users.Access{}) {
				return
			}
			if err := driver.SetInterface(fd, d.Name,
				uint16(d.Mode)|unix.IFF_MULTI_QUEUE|unix.IFF_NO_PI|unix.IFF_NO_CARRIER); err != nil {
				return
			}
			n++
			meddle(fd, n)
			fmt.Println(d.Name)
			fd = -1
		})
		if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.ENOBUFS) {
			return err
		}
	}
}

// meddle changes one setting of a device, by n, and closes the descriptor or keeps it.
func meddle(fd, n int) {
	for i, do := range []func(){
		func() { unix.IoctlSetInt(fd, unix.TUNSETOWNER, stranger) },
		func() { unix.IoctlSetInt(fd, unix.TUNSETGROUP, stranger) },
		func() { unix.IoctlSetInt(fd, unix.TUNSETLINK, unix.ARPHRD_PPP) },
		func() { unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, 12) },
		func() { unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, driver.OffloadTCP) },
		func() { unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1) },
		func() { driver.SetMAC(fd, link.MAC{2, 0, 0, 0, 0, 1}) },
		func() { unix.IoctlSetPointerInt(fd, unix.TUNSETSNDBUF, 1) },
		func() { unix.IoctlSetPointerInt(fd, unix.TUNSETTXFILTER, 1<<16) }, // accepts no packets
	} {
		if i == n%9 {
			do()
		}
	}
	if n%4 != 0 {
		unix.Close(fd)
	}
}

// addUnderAttack creates multi-queue devices as long as its standard input is open, and prints the result of each. A
// device that differs from the request is an error.
func addUnderAttack() error {
	ns, err := Open("")
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		bufio.NewReader(os.Stdin).ReadByte()
		close(ended)
	}()
	for n := 0; ; n++ {
		select {
		case <-ended:
			return nil
		default:
		}
		want := &Spec{Name: "q7", Mode: []link.Mode{link.TUN, link.TAP}[n%2], MultiQueue: on(true),
			Access: []*users.Access{users.Root(), {User: &users.ID{}}, {Group: &users.ID{}}}[n%3]}
		results, err := ns.Run(context.Background(), []Change{{Name: "q7", Want: want}}, Options{})
		if err != nil {
			return err
		}
		switch d, err := ns.link("q7", 0); {
		case results[0].Err != nil && cause.Gone(err) && results[0].UndoErr == nil:
			fmt.Println("refused:", results[0].Err)
		case results[0].Err != nil || err != nil:
			return fmt.Errorf("%v, undo %v; looked: %v", results[0].Err, results[0].UndoErr, err)
		default:
			if err := asNew(ns, d, want); err != nil {
				return err
			}
			fmt.Println("made")
		}
		for _, left := range strings.Fields(string(runLine("ip -br link show type tun | cut -d ' ' -f 1"))) {
			if left != "q7" {
				return fmt.Errorf("%s is left", left)
			}
			runLine("ip link del q7")
		}
	}
}

func runLine(line string) []byte {
	out, _ := exec.Command("sh", "-c", line).Output()
	return out
}

// asNew compares a device with the request, and the other settings with a new device.
func asNew(ns *Namespace, d *Device, want *Spec) error {
	if d.Queues+d.DisabledQueues != 0 || !d.Persist || !d.Access.Same(*want.Access) {
		return fmt.Errorf("it is not as asked: %+v", d)
	}
	fd, err := ns.claim(d, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if buffer, e := unix.IoctlGetUint32(fd, unix.TUNGETSNDBUF); e != nil || buffer != 1<<31-1 {
		return fmt.Errorf("its buffer is %d, %v", buffer, e)
	}
	differs, err := ns.touched(&newDevice{fd, d.Name, d.Index}, want)
	if differs == "flags" { // the device is persistent by now
		if _, flags, _ := driver.Interface(fd); flags == want.flags()|unix.IFF_PERSIST {
			differs = ""
		}
	}
	if differs != "" || err != nil {
		return fmt.Errorf("differs by %q, %v", differs, err)
	}
	return nil
}

// TestNoOtherUserAttachesToANewDevice runs attackers against two users: one who may create a network namespace, and
// one who may not.
func TestNoOtherUserAttachesToANewDevice(t *testing.T) {
	nstest.NeedReal(t)
	rounds := 20
	if n, err := strconv.Atoi(os.Getenv("TUNADM_TEST_ROUNDS")); err == nil {
		rounds = n
	}
	for _, admin := range []bool{true, false} {
		t.Run(fmt.Sprintf("with CAP_SYS_ADMIN %v", admin), func(t *testing.T) {
			open(t)
			var in atomic.Int32
			for range 2 {
				startRole(t, "intruder", &syscall.Credential{Uid: stranger, Gid: stranger}, func(string) { in.Add(1) })
			}
			if !admin { // of this thread and its children
				if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_SYS_ADMIN, 0, 0, 0); err != nil {
					t.Fatal(err)
				}
			}
			var made, refused atomic.Int32
			done := startRole(t, "adder", nil, func(line string) {
				if line == "made" {
					made.Add(1)
				} else {
					refused.Add(1)
					if admin || !strings.Contains(line, "attached before the device had its owner") {
						t.Error(line)
					}
				}
			})
			const least = 3 // attacks that must have hit, or the test proves nothing
			deadline := time.After(nstest.Patience(time.Minute + time.Duration(rounds)*time.Second/5))
			for int(made.Load()+refused.Load()) < rounds || in.Load() < least {
				select {
				case <-done:
					t.Fatal("the adder ended")
				case <-deadline:
					t.Fatalf("only %d created, %d refused, %d attacks hit", made.Load(), refused.Load(), in.Load())
				case <-time.After(10 * time.Millisecond):
				}
			}
			t.Logf("%d created, %d refused; %d attacks hit an abandoned device", made.Load(),
				refused.Load(), in.Load())
		})
	}
}

// startRole starts the test binary as another program until the test ends. It calls told with each line that the
// program prints after the first.
func startRole(t *testing.T, name string, as *syscall.Credential, told func(string)) (done chan struct{}) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), role+"="+name)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as, Pdeathsig: syscall.SIGKILL}
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatal(name, " does not start")
	}
	done = make(chan struct{})
	go func() {
		defer close(done)
		for lines.Scan() {
			told(lines.Text())
		}
	}()
	t.Cleanup(func() {
		in.Close()
		if as != nil {
			cmd.Process.Kill()
		}
		<-done
		if err := cmd.Wait(); as == nil && err != nil {
			t.Errorf("%s: %v", name, err)
		}
	})
	return done
}
