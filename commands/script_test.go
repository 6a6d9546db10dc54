package commands

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

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
		"attach":    attachAndEnd,
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
		"offload":   offload,
		"plain":     plain,
		"pour":      pour,
		"drain":     drain,
		"carry":     carry,
		"chatter":   chatter,
		"lossy":     lossy,
		"relay":     relay,
		"socket":    socket,
		"start":     start,
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
					"fix": applyFix, "send": send, "receive": receive, "listen": listen, "fill": fill,
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
var longest = nstest.Patience(3 * time.Minute)

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
