package holders

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

// sleeper starts a program that is not this one, until the test ends, in new namespaces if flags name some.
func sleeper(t *testing.T, flags uintptr) (cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// TestNoLookAtAFileIfTheNumbersTell has processes that no file describes: what is concluded comes from the numbers.
func TestNoLookAtAFileIfTheNumbersTell(t *testing.T) {
	one, other := sleeper(t, 0).Process.Pid, sleeper(t, 0).Process.Pid
	elsewhere := sleeper(t, syscall.CLONE_NEWUSER|syscall.CLONE_NEWNET).Process.Pid
	holds := func(pid int, duplicates ...int) *suspect {
		s := &suspect{Process: Process{PID: pid}}
		for i, n := range duplicates {
			s.files = append(s.files, &queueFile{descriptor: 3 + i, descriptors: n})
		}
		return s
	}
	for _, c := range []struct {
		name     string
		queues   map[string]int
		suspects []*suspect
		hidden   int
		want     int // lines, 0: nothing is concluded
	}{
		{"a queue", map[string]int{"tun7": 1}, []*suspect{holds(one, 1)}, 0, 2},
		{"a queue each", map[string]int{"tun7": 2}, []*suspect{holds(one, 1), holds(other, 1)}, 0, 3},
		{"a program with two devices", map[string]int{"tun7": 1, "tun8": 2}, []*suspect{holds(one, 1, 1, 1)}, 0, 3},
		{"two programs with two devices", map[string]int{"tun7": 1, "tun8": 1},
			[]*suspect{holds(one, 1), holds(other, 1)}, 0, 0},
		{"a program that has only opened the node", map[string]int{"tun7": 1},
			[]*suspect{holds(one, 1), holds(other, 1)}, 0, 0},
		{"a hidden program", map[string]int{"tun7": 1}, []*suspect{holds(one, 1)}, 1, 0},
		{"a duplicate", map[string]int{"tun7": 1}, []*suspect{holds(one, 2)}, 0, 0},
		{"a program in another namespace", map[string]int{"tun7": 1}, []*suspect{holds(elsewhere, 1)}, 0, 0},
		{"a program that has ended", map[string]int{"tun7": 1}, []*suspect{holds(1<<22+1, 1)}, 0, 0},
	} {
		var out bytes.Buffer
		x := &examiner{out: &out, queues: c.queues, suspects: c.suspects, hidden: c.hidden}
		if got := x.conclude(); got != (c.want > 0) || strings.Count(out.String(), "\n") != c.want {
			t.Errorf("%s: %v\n%s", c.name, got, out.String())
		}
		if found := parse(out.Bytes()); c.want > 0 && found.Sight != Whole {
			t.Errorf("%s: %+v", c.name, found)
		}
	}
}

// TestNumbersProveNothingOfAnotherNamespace has as many files of a device's name as the kernel counts queues, of a
// process of this namespace or of another. There is no descriptor that would tell.
func TestNumbersProveNothingOfAnotherNamespace(t *testing.T) {
	here, elsewhere := sleeper(t, 0), sleeper(t, syscall.CLONE_NEWUSER|syscall.CLONE_NEWNET)
	for process, proved := range map[int]bool{here.Process.Pid: true, elsewhere.Process.Pid: false} {
		for _, may := range []bool{true, false} {
			var out bytes.Buffer
			s := &suspect{Process: Process{PID: process}}
			s.files = []*queueFile{{descriptor: 3, descriptors: 1, device: "tun7"}}
			x := &examiner{out: &out, queues: map[string]int{"tun7": 1}, suspects: []*suspect{s},
				end: time.Now().Add(time.Minute)}
			if !x.prove(may, true) {
				t.Error("it did not come to the end")
			}
			got := parse(out.Bytes()).Processes["tun7"]
			if (len(got) == 1 && !got[0].Probable) != proved {
				t.Errorf("proved %t, may ask %t: got %+v", proved, may, got)
			}
		}
	}
}

// TestTheNearProcessesMayBeAll has a process with a queue, and those of other namespaces were not looked at: the
// descriptor proves that it is the holder, and that there is no other if the kernel counts no other queue.
func TestTheNearProcessesMayBeAll(t *testing.T) {
	nstest.NeedReal(t)
	nstest.NeedDriver(t)
	nstest.Enter(t)
	queue, err := nstest.Attach("tun7", unix.IFF_TUN|unix.IFF_NO_PI)
	if err != nil {
		t.Fatal(err)
	}
	defer queue.Close()
	cmd := exec.Command("sleep", "60")
	cmd.ExtraFiles = []*os.File{queue} // its descriptor 3
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for counted, complete := range map[int]bool{1: true, 2: false} {
		var out bytes.Buffer
		s := &suspect{Process: Process{PID: cmd.Process.Pid, Command: "sleep"}}
		s.files = []*queueFile{{descriptor: 3, descriptors: 1, device: "tun7"}}
		x := &examiner{out: &out, queues: map[string]int{"tun7": counted}, suspects: []*suspect{s},
			end: time.Now().Add(time.Minute)}
		if got := x.prove(true, false); got != complete {
			t.Errorf("%d queues: complete %t", counted, got)
		}
		got := parse(out.Bytes()).Processes["tun7"]
		if complete && (len(got) != 1 || got[0].Probable) {
			t.Errorf("%d queues: got %+v", counted, got)
		}
	}
}

// TestAProgramThatStartsAnotherIsOne has a process that shares the memory of its parent, as between vfork(2) and
// execve(2), found before the parent or after it.
func TestAProgramThatStartsAnotherIsOne(t *testing.T) {
	nstest.NeedProgram(t, "python3")
	cmd := exec.Command("python3", "-c", `if True:
		import ctypes, os, signal, sys
		libc, share, size = ctypes.CDLL(None), 0x100, 1 << 16
		stack = ctypes.create_string_buffer(size)
		top = ctypes.c_void_p((ctypes.addressof(stack) + size) & ~15)
		child = libc.clone(libc.pause, top, share | signal.SIGCHLD, None)
		print(child, flush=True)
		sys.stdin.read()
		os.kill(child, signal.SIGKILL)`)
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
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil || pid < 1 {
		t.Fatalf("child %d: %v", pid, err)
	}
	parent, child := &suspect{Process: Process{PID: cmd.Process.Pid}}, &suspect{Process: Process{PID: pid}}
	for _, order := range [][]*suspect{{parent, child}, {child, parent}} {
		x := &examiner{}
		for _, s := range order {
			x.suspectOnce(s)
		}
		if len(x.suspects) != 1 || x.suspects[0] != parent {
			t.Errorf("%d before %d: got %v, want %d", order[0].PID, order[1].PID, x.suspects[0].PID, parent.PID)
		}
	}
}
