package commands

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/nstest"
)

// programs are what the scripts call besides tools of the system. Each is this test binary under another name, and
// gives back an exit code.
func programs() map[string]func(args []string) int {
	return map[string]func([]string) int{
		"tunadm": func(args []string) int {
			return Main(append([]string{"tunadm"}, args...), "test", os.Stdout, os.Stderr)
		},
		"attach":    attach,
		"bpf-drop":  bpfDrop,
		"as-user":   asUser,
		"keep":      keep,
		"crowd":     crowd,
		"ripple":    ripple,
		"race":      race,
		"forbid":    forbid,
		"chroot":    chroot,
		"handed":    handed,
		"stopped":   stopped,
		"simpletun": simpletun,
		"pour":      pour,
		"drain":     drain,
		"carry":     carry,
		"chatter":   chatter,
		"relay":     relay,
		"socket":    socket,
		"terminal":  terminal,
		"vpnd":      vpnd,
	}
}

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) { // see install
	case "tunctl", holders.Examiner, guard.Name:
		os.Exit(Main(os.Args, "test", os.Stdout, os.Stderr))
	}
	table := map[string]func(){}
	for name, program := range programs() {
		table[name] = func() { os.Exit(program(os.Args[1:])) }
	}
	testscript.Main(inNamespace{m}, table)
}

// inNamespace runs the tests through nstest.
type inNamespace struct{ m *testing.M }

func (n inNamespace) Run() int { return nstest.Main(n.m) }

// TestScripts runs testdata/*.txtar, each in namespaces of its own.
func TestScripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no scripts: ", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			testscript.RunT(oneScript{t}, testscript.Params{
				Files:    []string{file},
				Deadline: time.Now().Add(longest),
				Setup:    setup,
				Cmds: map[string]func(*testscript.TestScript, bool, []string){
					"status": status, "hold": hold, "release": release, "need": need, "install": install,
					"fix": applyFix, "send": send, "listen": listen, "fill": fill,
					"beside": besides, "until": until, "ended": ended, "settled": settled,
				},
				Condition:           condition,
				RequireExplicitExec: true,
			})
		})
	}
}

// longest is the time after which a script fails, with the line that it is at. Programs that it waits for have half of
// it: $LIMIT seconds.
var longest = nstest.Patience(2 * time.Minute)

// oneScript is the test of one script, so that its time begins when it starts, and not when all scripts start.
type oneScript struct{ *testing.T }

func (oneScript) Parallel()                                {}
func (oneScript) Verbose() bool                            { return testing.Verbose() }
func (s oneScript) Run(_ string, run func(t testscript.T)) { run(s) }

func setup(env *testscript.Env) error {
	t := env.T().(nstest.T)
	nstest.Enter(t)
	env.Values[theTest{}] = t
	env.Setenv("UNIQUE", unique())
	env.Setenv("TUNADM_TEST_PATIENCE", os.Getenv("TUNADM_TEST_PATIENCE"))
	env.Setenv("LIMIT", strconv.Itoa(int(patience.Seconds())))
	env.Values[held{}] = new([]*os.File)
	env.Values[background{}] = map[string]*beside{}
	return nil
}

// scripts counts the scripts that this process has run.
var scripts atomic.Uint32

// unique returns the start of a device name that no other script on this machine has, of nine characters.
func unique() string {
	const most = 1 << 10 // of scripts; a PID has 22 bits
	return fmt.Sprintf("e%08x", uint32(os.Getpid())*most+scripts.Add(1)%most)
}

// status is the command "status CODE PROGRAM ARGS...": the program exits with that code.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE PROGRAM ARGS...")
	}
	code := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit status %d, want %s", code, args[0])
	}
}

// The keys of what belongs to a script: the descriptors that it holds, and its testing.T.
type (
	held    struct{}
	theTest struct{}
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
}

// send is the command "send HEX...": what was held last writes a packet to its device. With "!", the driver refuses
// the packet.
func send(ts *testscript.TestScript, neg bool, args []string) {
	packet, err := hex.DecodeString(strings.Join(args, ""))
	ts.Check(err)
	files := *ts.Value(held{}).(*[]*os.File)
	fd := int(files[len(files)-1].Fd())
	ts.Check(unix.SetNonblock(fd, true)) // as most programs: the driver then has other ways for packets
	_, err = unix.Write(fd, packet)
	if neg && err == nil {
		ts.Fatalf("the driver accepts the packet")
	} else if !neg {
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

// applyFix is the command "fix CHECK DOCTOR-ARGS...": the first finding of doctor is of that check, and the first fix
// removes the finding.
func applyFix(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fix CHECK DOCTOR-ARGS...")
	}
	found := diagnose(ts, args[1:])
	if len(found) == 0 || found[0].Check != args[0] {
		ts.Fatalf("the first finding is not %s: %v", args[0], found)
	}
	ts.Logf("fix: %s", found[0].Fix[0])
	ts.Check(ts.Exec("sh", "-e", "-c", found[0].Fix[0]))
	for _, f := range diagnose(ts, args[1:]) {
		if f.Check == args[0] {
			ts.Fatalf("after %q there is still %v", found[0].Fix[0], f)
		}
	}
}

// diagnose is what the doctor finds.
func diagnose(ts *testscript.TestScript, args []string) (found []jsonFinding) {
	err := ts.Exec("tunadm", append([]string{"doctor", "--json"}, args...)...)
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		ts.Fatalf("doctor: %v", err)
	}
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &found))
	for _, f := range found {
		checkFixes(ts, f.Fix)
	}
	return found
}

// The programs of fixes that change the running kernel, and the changes of more than one device.
var (
	changing = regexp.MustCompile(`^(ask root for: )?(ip netns exec \S+ |nsenter \S+ )?` +
		`(sysctl -w|ip (-[46] )?(addr|link|neigh|route|rule)|bridge|tc (qdisc|filter) (add|del)|nft|ip6?tables) `)
	wide = regexp.MustCompile(`sysctl -w (\S+\.(all|default)\.|net\.ipv4\.[^.]+=)`)
)

// checkFixes checks that each change of the running kernel says how long it lasts, and whether it opens more than one
// device, and that the first fix does so only if no other does not.
func checkFixes(ts *testscript.TestScript, fixes []string) {
	for _, f := range fixes {
		switch {
		case !changing.MatchString(f):
		case !strings.Contains(f, "  # "), wide.MatchString(f) != strings.Contains(f, "all devices"):
			ts.Fatalf("the fix does not say how long it lasts or what it opens: %s", f)
		case wide.MatchString(fixes[0]) && !wide.MatchString(f):
			ts.Fatalf("the fix for all devices comes before a narrower one: %q", fixes)
		}
	}
}

// install is the command "install PATH": tunadm stands at PATH, a file that is there, in the script's mount namespace.
func install(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: install PATH")
	}
	self, err := os.Executable()
	ts.Check(err)
	ts.Check(unix.Mount(self, args[0], "", unix.MS_BIND, ""))
}

// need is the command "need root|PROGRAM", without which the rest of the script is skipped.
func need(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: need root|PROGRAM")
	}
	t := ts.Value(theTest{}).(nstest.T)
	if args[0] == "root" {
		nstest.NeedReal(t)
	} else {
		nstest.NeedProgram(t, args[0])
	}
}

// attach is the program "attach NAME FLAGS": it attaches, with hexadecimal IFF_ flags, and lets go again.
func attach(args []string) int {
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
	must(unix.Pause())
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
