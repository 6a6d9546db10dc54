// Package nstest gives each test a thread in separate network and mount namespaces, on the real kernel. The namespaces
// die with the thread. Without root, the test binary runs itself again in a user namespace in which it is root.
package nstest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Driver is the driver's node.
const Driver = "/dev/net/tun"

// inside marks the second run, in the user namespace.
const inside = "TUNADM_TEST_INSIDE"

// Patience returns d, or as many times d as TUNADM_TEST_PATIENCE says: deadlines are longer on a slow machine.
func Patience(d time.Duration) time.Duration {
	if n, err := strconv.Atoi(os.Getenv("TUNADM_TEST_PATIENCE")); err == nil && n > 0 {
		d *= time.Duration(n)
	}
	return d
}

// A Runner runs the tests: a *testing.M, or a wrapper of one.
type Runner interface{ Run() int }

// Main runs the tests as root of the machine or of a user namespace, and returns the exit code.
func Main(m Runner) int {
	// With another umask, tunadm does not trust the files of the tests.
	unix.Umask(0o022)
	// The PATH of an ordinary user of Debian has no sbin.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} { // as nohup(1) and a shell's & start programs
		if signal.Ignored(sig) {
			signal.Notify(make(chan os.Signal, 1), sig) // a child process starts with the default action
		}
	}
	if os.Geteuid() == 0 {
		return m.Run()
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	err := cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode()
	} else if err != nil {
		fmt.Fprintf(os.Stderr, "nstest: cannot create a user namespace (%v): run the tests as root\n", err)
		return 1
	}
	return 0
}

// A T is the part of testing.TB that this package uses.
type T interface {
	Helper()
	Fatal(...any)
	Skip(...any)
}

// Real reports whether the tests run as root of the machine, with all users.
func Real() bool { return os.Getenv(inside) == "" }

// Skip skips the test and writes the reason to the file TUNADM_TEST_SKIPS, which make check prints: go test itself
// hides the output of a package that passes. If TUNADM_TEST_ALL=1 is set, a skip is a failure.
func Skip(t T, why string) {
	t.Helper()
	if os.Getenv("TUNADM_TEST_ALL") == "1" {
		t.Fatal("would be skipped: " + why)
	}
	if f, err := os.OpenFile(os.Getenv("TUNADM_TEST_SKIPS"), os.O_APPEND|os.O_WRONLY, 0); err == nil {
		fmt.Fprintln(f, "skipped: "+why)
		f.Close()
	}
	t.Skip(why)
}

// NeedReal skips a test that requires users other than root.
func NeedReal(t T) {
	t.Helper()
	if !Real() {
		Skip(t, "requires root: a user namespace has only one user")
	}
}

// NeedProgram skips a test if the program is not installed.
func NeedProgram(t T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		Skip(t, "requires "+name)
	}
}

// NeedDriver skips a test if this user may not open the driver's node, which is 0600 on some machines.
func NeedDriver(t T) {
	t.Helper()
	fd, err := unix.Open(Driver, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil && !Real() {
		Skip(t, "requires a tun driver that this user may open: "+err.Error())
	} else if err == nil {
		unix.Close(fd)
	}
}

// Enter moves the goroutine and its thread into new namespaces until the test ends. As root of the machine, it also
// creates a driver's node there that every user may open.
func Enter(t T) {
	t.Helper()
	runtime.LockOSThread() // never unlocked: the thread dies with the goroutine
	if err := unix.Unshare(unix.CLONE_NEWNET | unix.CLONE_NEWNS); err != nil {
		t.Fatal("unshare: ", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal("make mounts private: ", err)
	}
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		t.Fatal("mount sysfs: ", err)
	}
	if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal("mount tmpfs: ", err)
	}
	if !Real() {
		NeedDriver(t)
		return
	}
	if err := unix.Mount("tmpfs", filepath.Dir(Driver), "tmpfs", 0, "mode=755"); err != nil {
		t.Fatal("mount tmpfs: ", err)
	}
	if err := unix.Mknod(Driver, unix.S_IFCHR, int(unix.Mkdev(10, 200))); err != nil {
		t.Fatal("create the node: ", err)
	}
	if err := os.Chmod(Driver, 0o666); err != nil {
		t.Fatal(err)
	}
}

// Attach attaches to a device as a program does, with these IFF_ flags, and returns the descriptor. It retries EBUSY
// for a second: a program that reads /proc/PID/fdinfo keeps the file of a program that has just ended for a moment.
func Attach(name string, flags uint16) (f *os.File, err error) {
	for deadline := time.Now().Add(Patience(time.Second)); ; time.Sleep(time.Millisecond) {
		if f, err = attach(name, flags); !errors.Is(err, unix.EBUSY) || time.Now().After(deadline) {
			return f, err
		}
	}
}

func attach(name string, flags uint16) (*os.File, error) {
	fd, err := unix.Open(Driver, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		ifr.SetUint16(flags)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), Driver), nil
}

// Run runs a program in the test's namespaces and returns its standard output.
func Run(t testing.TB, command string, args ...string) string {
	t.Helper()
	out, err := exec.Command(command, args...).Output()
	if err != nil {
		stderr := ""
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			stderr = string(exit.Stderr)
		}
		t.Fatalf("%s %v: %v\n%s", command, args, err, stderr)
	}
	return string(out)
}

// Allocates checks that one run of f allocates at most this many times. The bound is the figure of the day on which it
// was written. The least of three measurements counts: goroutines of other tests may allocate meanwhile.
func Allocates(t testing.TB, what string, most float64, f func()) {
	t.Helper()
	const runs = 20
	got := testing.AllocsPerRun(runs, f)
	for range 2 {
		if got > most {
			got = min(got, testing.AllocsPerRun(runs, f))
		}
	}
	if got > most {
		t.Errorf("%s: %v allocations, and the bound is %v: avoid the new ones, or write the new bound into this test, "+
			"and the reason into the commit message", what, got, most)
	}
}

// Accounts replaces /etc/passwd and /etc/group, which the test must have entered its own mount namespace for: the users
// are root, kim (70) and ken (80).
func Accounts(t *testing.T) {
	t.Helper()
	for path, text := range map[string]string{
		"/etc/passwd": "root:x:0:0::/:\nkim:x:70:71::/:\nken:x:80:81::/:\n",
		"/etc/group":  "kim:x:71:\nwheel:x:10:kim,ken\ntun:x:11:ken\nkims:x:12:kimberly\nlast:x:13:ken,kim\n",
	} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
	}
}

// Rest waits to be killed, and keeps these files open. One pause(2) would end with a signal of the Go runtime, and an
// empty select is a deadlock to it.
func Rest(open ...*os.File) {
	for {
		_ = unix.Pause()
		runtime.KeepAlive(open)
	}
}

// Unnoticed returns the links of the network namespace whose carrier the kernel has not noticed yet. It does so up to a
// second later, for no more than 100 links of the whole machine a second (linkwatch).
func Unnoticed() (names []string, err error) {
	links, err := netlink.LinkList()
	for errors.Is(err, netlink.ErrDumpInterrupted) {
		links, err = netlink.LinkList()
	}
	for _, l := range links {
		const off, on, dormant = 0, unix.IFF_LOWER_UP | unix.IFF_RUNNING, unix.IFF_DORMANT
		flags := l.Attrs().RawFlags
		if carrier := flags & on; flags&unix.IFF_UP != 0 && carrier != on && carrier != off && flags&dormant == 0 {
			names = append(names, l.Attrs().Name)
		}
	}
	return names, err
}

// Settle waits until the kernel has noticed the carrier of each link.
func Settle(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(Patience(90 * time.Second)); ; time.Sleep(10 * time.Millisecond) {
		names, err := Unnoticed()
		if err == nil && len(names) == 0 {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("the kernel does not notice the carrier of %q: %v", names, err)
		}
	}
}
