package netcfg

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/nstest"
)

// attackers are the roles under which the test binary runs as an attacker, each with the name of a device. An attacker
// writes a byte to descriptor 1 when it is at work, and goes on until it is killed.
var attackers = map[string]func(device string){
	"hold":  func(device string) { attachTo(device); ready(); nstest.Rest() },
	"blink": blink,
	"flood": flood,
	"flush": func(device string) { serveSilently("flip", device) },
	"epoll": func(device string) { serveSilently("flip-epoll", device) },

	// These two use the file system of their parent.
	"flip":       func(device string) { flip(device, silentFile) },
	"flip-epoll": func(device string) { flip(device, lockedEpoll()) },
}

func ready() { _, _ = os.Stdout.Write([]byte{'!'}) }

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// startAttacker starts an attacker in the thread's network namespace. It runs until the test ends, or until stop is
// called.
func startAttacker(t *testing.T, name, device string) (pid int, stop func()) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	process, err := os.StartProcess("/proc/self/exe", []string{name, device}, &os.ProcAttr{
		Files: []*os.File{nil, in, os.Stderr},
		Sys:   &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL},
	})
	in.Close()
	if err != nil {
		t.Fatal(err)
	}
	stop = func() { _ = process.Kill(); _, _ = process.Wait() }
	t.Cleanup(stop)
	check(out.SetReadDeadline(time.Now().Add(nstest.Patience(20 * time.Second))))
	if n, err := out.Read(make([]byte, 1)); n != 1 {
		t.Fatalf("%s: %v", name, err)
	}
	return process.Pid, stop
}

// attachTo attaches to a device of the thread's network namespace, or creates it.
func attachTo(device string) int {
	fd, err := unix.Open(driver.Path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	check(err)
	for err = unix.EBUSY; err == unix.EBUSY; { // while another program observes the device
		err = driver.SetInterface(fd, device, unix.IFF_TUN|unix.IFF_NO_PI)
	}
	check(err)
	return fd
}

// blink attaches for half a millisecond, repeatedly.
func blink(device string) {
	for first := true; ; first = false {
		fd := attachTo(device)
		for start := time.Now(); time.Since(start) < 500*time.Microsecond; {
			runtime.Gosched()
		}
		unix.Close(fd)
		if first {
			ready()
		}
	}
}

// flood has a device of the same name in another namespace, and 20,000 descriptors of it, or as many as the limit
// allows.
func flood(device string) {
	const many = 20000
	runtime.LockOSThread()
	limit := new(unix.Rlimit)
	check(unix.Getrlimit(unix.RLIMIT_NOFILE, limit))
	check(unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit.Max, Max: limit.Max}))
	check(unix.Unshare(unix.CLONE_NEWNET))
	fd := attachTo(device)
	for n := 0; n < many; n++ {
		if _, err := unix.Dup(fd); err != nil {
			break
		}
	}
	ready()
	nstest.Rest()
}

// The descriptors of a child of serveSilently.
const (
	silentFile = 3
	polled     = 4 // receives a byte when a program waits for the file
)

// flip has a device of the same name in another namespace, and swaps the file behind its descriptor between the
// driver's node and another file.
func flip(device string, other int) {
	const flipped = 100
	runtime.LockOSThread()
	check(unix.Unshare(unix.CLONE_NEWNET))
	queue := attachTo(device)
	check(unix.Dup3(queue, flipped, 0))
	ready()
	for {
		check(unix.Dup3(other, flipped, 0))
		check(unix.Dup3(queue, flipped, 0))
	}
}

// lockedEpoll is an epoll file that no program can inspect: its lock is held during the poll of a file that does not
// answer.
func lockedEpoll() int {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	check(err)
	go func() { _ = unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, silentFile, &unix.EpollEvent{Events: unix.EPOLLIN}) }()
	_, err = unix.Read(polled, make([]byte, 1))
	check(err)
	return ep
}

// serveSilently is a file system in user space with one file. It answers only its child when the file is closed, and
// never answers a poll. When it ends, the kernel wakes all waiting programs.
func serveSilently(child, device string) {
	dev, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	check(err)
	check(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	dir, err := os.MkdirTemp("", "silent")
	check(err)
	path := filepath.Join(dir, "file")
	check(os.WriteFile(path, nil, 0o644))
	check(unix.Mount("silent", path, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=100644,user_id=0,group_id=0", dev)))
	out, in, err := os.Pipe()
	check(err)
	friend := new(atomic.Int32) // every process, until the child is started
	go answer(dev, friend, in)
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	check(err)
	check(unix.Unmount(path, unix.MNT_DETACH))
	check(os.RemoveAll(dir))
	file := os.NewFile(uintptr(fd), path)
	process, err := os.StartProcess("/proc/self/exe", []string{child, device}, &os.ProcAttr{
		Files: []*os.File{nil, os.Stdout, os.Stderr, file, out},
		Sys:   &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL},
	})
	check(err)
	check(file.Close()) // otherwise this process would wait for itself when it ends
	friend.Store(int32(process.Pid))
	nstest.Rest()
}

// answer implements as much of the protocol of include/uapi/linux/fuse.h as an open requires.
func answer(dev int, friend *atomic.Int32, polled *os.File) {
	const (
		getattr, open, flush, initialize, poll = 3, 14, 25, 26, 40
		headerIn, headerOut                    = 40, 16
	)
	request := make([]byte, 1<<17)
	for {
		n, err := unix.Read(dev, request)
		if err != nil || n < headerIn {
			continue
		}
		answer := make([]byte, headerOut)
		switch binary.NativeEndian.Uint32(request[4:]) {
		case initialize:
			answer = append(answer, make([]byte, 64)...)
			binary.NativeEndian.PutUint32(answer[headerOut:], 7)
			binary.NativeEndian.PutUint32(answer[headerOut+4:], 31)
			binary.NativeEndian.PutUint32(answer[headerOut+20:], 4096) // max_write
		case getattr:
			answer = append(answer, make([]byte, 104)...)
			binary.NativeEndian.PutUint64(answer[headerOut+16:], 1)           // inode
			binary.NativeEndian.PutUint32(answer[headerOut+16+60:], 0o100644) // mode
		case open:
			answer = append(answer, make([]byte, 16)...)
		case flush:
			task := fmt.Sprintf("/proc/%d/task/%d", friend.Load(), binary.NativeEndian.Uint32(request[32:]))
			if friend.Load() != 0 && unix.Access(task, unix.F_OK) != nil {
				continue
			}
		case poll:
			_, _ = polled.Write([]byte{'!'})
			continue
		default:
			refused := -int32(unix.ENOSYS)
			binary.NativeEndian.PutUint32(answer[4:], uint32(refused))
		}
		copy(answer[8:headerOut], request[8:16])
		binary.NativeEndian.PutUint32(answer, uint32(len(answer)))
		_, _ = unix.Write(dev, answer)
	}
}
