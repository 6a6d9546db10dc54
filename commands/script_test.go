package commands

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// programs are what the scripts call besides tools of the system. Each is this test binary under another name, and gives back
// an exit code.
func programs() map[string]func(args []string) int {
	return map[string]func([]string) int{
		"tunadm": func(args []string) int {
			return Main(append([]string{"tunadm"}, args...), "test", os.Stdout, os.Stderr)
		},
		"attach":  attach,
		"as-user": asUser,
		"keep":    keep,
		"race":    race,
	}
}

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "tunctl" { // see install
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
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(env *testscript.Env) error {
			t := env.T().(nstest.T)
			nstest.Enter(t)
			env.Values[theTest{}] = t
			env.Values[held{}] = new([]*os.File)
			env.Setenv("TUNADM_TEST_FAULTS", os.Getenv("TUNADM_TEST_FAULTS"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status, "hold": hold, "release": release, "need": need, "install": install,
		},
		RequireExplicitExec: true,
	})
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

// hold is the command "hold NAME FLAGS": the test itself is a program that attaches, with hexadecimal IFF_ flags, until release. Its
// process is $HOLDER.
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

// release is the command that lets go all that the script holds.
func release(ts *testscript.TestScript, _ bool, _ []string) {
	files := ts.Value(held{}).(*[]*os.File)
	for _, f := range *files {
		ts.Check(f.Close())
	}
	*files = nil
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

// asUser is the program "as-user UID:GID[,GID...][+cap][+trace] PROGRAM ARGS...": another of the programs, run by that user, with
// CAP_NET_ADMIN or CAP_SYS_PTRACE if it says so, and without any capability else, even as root.
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
