package commands

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// background is the key of the programs that run beside a script, by the file they print into.
type background struct{}

// A beside is a program that runs beside a script.
type beside struct {
	cmd   *exec.Cmd
	ended chan error
}

// patience is how long a script waits for what must come.
var patience = longest / 2

// besides is the command "beside FILE PROGRAM ARGS...": the program runs beside the script, and prints into FILE, and
// its errors into FILE.err. Its process is $BESIDE.
func besides(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: beside FILE PROGRAM ARGS...")
	}
	out, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer out.Close()
	errs, err := os.Create(ts.MkAbs(args[0] + ".err"))
	ts.Check(err)
	defer errs.Close()
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), out, errs
	ts.Check(cmd.Start())
	b := &beside{cmd, make(chan error, 1)}
	ts.Value(background{}).(map[string]*beside)[args[0]] = b
	go func() { b.ended <- cmd.Wait() }()
	ts.Defer(func() { _ = cmd.Process.Kill() })
	ts.Setenv("BESIDE", strconv.Itoa(cmd.Process.Pid))
}

// until is the command "until FILE REGEXP [N]": it waits for a line that matches, or for N of them.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: until FILE REGEXP [N]")
	}
	wanted := 1
	if len(args) == 3 {
		n, err := strconv.Atoi(args[2])
		ts.Check(err)
		wanted = n
	}
	line, err := regexp.Compile("(?m)" + args[1])
	ts.Check(err)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		text := ts.ReadFile(args[0])
		found := len(line.FindAllString(text, -1))
		if found >= wanted {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%d lines match %q, want %d: ...\n%s", found, args[1], wanted, text[max(0, len(text)-2000):])
		}
	}
}

// settled is the command "settled NAME": it waits until no IPv6 address of the device is tentative. The kernel takes it
// for a source then, a moment after the device has a carrier.
func settled(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: settled NAME")
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		ts.Check(ts.Exec("ip", "-6", "-o", "address", "show", "tentative", "dev", args[0]))
		tentative := ts.ReadFile("stdout")
		if tentative == "" {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("still tentative: %s", tentative)
		}
	}
}

// ended is the command "ended CODE FILE [SIGNAL]": the program that prints into FILE ends with that code, by itself or
// by a signal.
func ended(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: ended CODE FILE [SIGNAL]")
	}
	b := ts.Value(background{}).(map[string]*beside)[args[1]]
	if len(args) == 3 {
		signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}
		signal := signals[args[2]]
		ts.Check(b.cmd.Process.Signal(signal))
	}
	select {
	case err := <-b.ended:
		if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
			ts.Check(err)
		}
	case <-time.After(patience):
		ts.Fatalf("%s does not end", args[1])
	}
	if code := b.cmd.ProcessState.ExitCode(); strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit status %d, want %s: %s", code, args[0], ts.ReadFile(args[1]+".err"))
	}
	if said := ts.ReadFile(args[1] + ".err"); said != "" {
		ts.Logf("%s", said)
	}
}
