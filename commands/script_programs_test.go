package commands

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// attachAndEnd is the program "attach NAME FLAGS": it attaches, with hexadecimal IFF_ flags, and lets go again.
func attachAndEnd(args []string) int {
	flags, err := strconv.ParseUint(args[1], 16, 16)
	if err == nil {
		_, err = nstest.Attach(args[0], uint16(flags))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "attach:", err)
		return 1
	}
	return 0
}

// keep is the program "keep NAME FLAGS": it attaches, makes the file "kept", and stays until it is killed.
func keep(args []string) int {
	flags, err := strconv.ParseUint(args[1], 16, 16)
	must(err)
	f, err := nstest.Attach(args[0], uint16(flags))
	must(err)
	must(os.WriteFile("kept", nil, 0o600))
	nstest.Rest(f)
	return 0
}

// start is the program "start NAME": it attaches to a tun, prints "ready", and is about to start a program, which takes
// as long as a lease on its file lasts (45 seconds).
func start(args []string) int {
	f, err := nstest.Attach(args[0], unix.IFF_TUN|unix.IFF_NO_PI)
	must(err)
	must(os.WriteFile("leased", nil, 0o700))
	lease, err := unix.Open("leased", unix.O_RDWR|unix.O_CLOEXEC, 0)
	must(err)
	_, err = unix.FcntlInt(uintptr(lease), unix.F_SETLEASE, unix.F_WRLCK)
	must(err)
	fmt.Println("ready")
	_ = exec.Command("./leased").Run()
	runtime.KeepAlive(f)
	return 0
}

// socket is the program "socket PATH": it makes a Unix socket that stays.
func socket(args []string) int {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	must(unix.Bind(fd, &unix.SockaddrUnix{Name: args[0]}))
	return 0
}

// crowd is the program "crowd N NAME": it makes N persistent tuns, NAME0, NAME1, ..., with nothing but the driver.
func crowd(args []string) int {
	for i := range number(args[0]) {
		f, err := nstest.Attach(args[1]+strconv.Itoa(i), unix.IFF_TUN|unix.IFF_NO_PI|unix.IFF_TUN_EXCL)
		must(err)
		must(unix.IoctlSetInt(int(f.Fd()), unix.TUNSETPERSIST, 1))
		must(f.Close())
	}
	return 0
}

// ripple is the program "ripple N NAME": it changes the device's MTU N times.
func ripple(args []string) int {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	ifr, err := unix.NewIfreq(args[1])
	must(err)
	for i := range number(args[0]) {
		ifr.SetUint32(uint32(1400 + i%2))
		must(unix.IoctlIfreq(fd, unix.SIOCSIFMTU, ifr))
	}
	return 0
}

// asUser is the program "as-user UID:GID[,GID...][+cap][+trace] PROGRAM ARGS...": another of the programs, run by that
// user, with CAP_NET_ADMIN or CAP_SYS_PTRACE if it says so, and without any capability else, even as root.
func asUser(args []string) int {
	words := strings.Split(args[0], "+")
	uid, gids, _ := strings.Cut(words[0], ":")
	var groups []int
	for g := range strings.SplitSeq(gids, ",") {
		groups = append(groups, number(g))
	}
	runtime.LockOSThread() // capabilities are a thread's
	must(unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0))
	must(syscall.Setgroups(groups))
	must(syscall.Setgid(groups[0]))
	must(syscall.Setuid(number(uid)))
	var caps [2]unix.CapUserData
	for _, word := range words[1:] {
		caps[0].Permitted |= 1 << map[string]uint{"cap": unix.CAP_NET_ADMIN, "trace": unix.CAP_SYS_PTRACE}[word]
		caps[0].Effective = caps[0].Permitted
	}
	must(unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &caps[0]))
	return programs()[args[1]](args[2:])
}

// race is the program "race N PROGRAM ARGS...": N of them at once. It prints how many ended with which exit code.
func race(args []string) int {
	cmds := make([]*exec.Cmd, number(args[0]))
	for i := range cmds {
		cmds[i] = exec.Command(args[1], args[2:]...)
		must(cmds[i].Start())
	}
	codes := map[int]int{}
	for _, cmd := range cmds {
		_ = cmd.Wait()
		codes[cmd.ProcessState.ExitCode()]++
	}
	for code := range 10 {
		if codes[code] > 0 {
			fmt.Printf("%d exit %d\n", codes[code], code)
		}
	}
	return 0
}

// chroot is the program "chroot PROGRAM ARGS...": another of the programs, in a root directory that has nothing but
// /proc.
func chroot(args []string) int {
	root, err := os.MkdirTemp("", "root")
	must(err)
	must(os.Mkdir(root+"/proc", 0o755))
	must(unix.Mount("proc", root+"/proc", "proc", 0, ""))
	must(unix.Chroot(root))
	must(os.Chdir("/"))
	exit := programs()[args[0]](args[1:])
	must(unix.Unmount("/proc", unix.MNT_DETACH))
	return exit
}

// forbid is the program "forbid PROGRAM ARGS...": another of the programs, run in a control group that may open no
// device.
func forbid(args []string) int {
	root := "/run/cgroup-" + strconv.Itoa(os.Getpid())
	group := root + "/tunadm-test-" + strconv.Itoa(os.Getpid())
	must(os.Mkdir(root, 0o755))
	must(unix.Mount("none", root, "cgroup2", 0, ""))
	must(os.Mkdir(group, 0o755))
	directory, err := os.Open(group)
	must(err)
	// mov r0, 0; exit
	code := []uint64{0xb7, 0x95}
	license := []byte("GPL\x00")
	load := struct {
		kind, count    uint32
		code, license  uintptr
		_              [4]uint32
		name           [16]byte
		_, attachBy, _ uint32
	}{kind: unix.BPF_PROG_TYPE_CGROUP_DEVICE, count: 2, code: uintptr(unsafe.Pointer(&code[0])),
		license: uintptr(unsafe.Pointer(&license[0])), attachBy: unix.BPF_CGROUP_DEVICE}
	program, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&load)),
		unsafe.Sizeof(load))
	runtime.KeepAlive(code)
	if errno != 0 {
		must(errno)
	}
	attachment := struct{ target, program, kind, flags uint32 }{uint32(directory.Fd()), uint32(program),
		unix.BPF_CGROUP_DEVICE, 0}
	if _, _, errno := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_ATTACH, uintptr(unsafe.Pointer(&attachment)),
		unsafe.Sizeof(attachment)); errno != 0 {
		must(errno)
	}
	must(os.WriteFile(group+"/cgroup.procs", []byte("0"), 0))
	exit := programs()[args[0]](args[1:])
	must(os.WriteFile(root+"/cgroup.procs", []byte("0"), 0))
	must(os.Remove(group))
	return exit
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	must(err)
	return n
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, filepath.Base(os.Args[0])+":", err)
		os.Exit(99)
	}
}
