package commands

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/words"
)

// exitSignal plus the number of a signal is the exit code of a command that the signal ended, as in a shell.
const exitSignal = 128

// runCommand runs a command, and passes signals on to it until it ends. The command does not outlive this process.
// started is called when the command has its descriptors. After an earlier signal, runCommand runs no command, and
// its error is that of a command which the signal ended.
func runCommand(caught *interrupts, cmd *exec.Cmd, started func() error) error {
	runtime.LockOSThread() // the child's Pdeathsig follows this thread
	defer runtime.UnlockOSThread()
	running := make(chan struct{})
	pass := func(s os.Signal) {
		<-running
		if cmd.Process != nil {
			_ = cmd.Process.Signal(s) // it may have ended already
		}
	}
	if s, _ := caught.pass(pass).(syscall.Signal); s != 0 {
		return &exitError{code: exitSignal + int(s)}
	}
	defer caught.pass(nil)
	caught.add(syscall.SIGUSR1, syscall.SIGUSR2)
	// The child would inherit an ignored SIGPIPE; one that is not caught would end this process.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	err := cmd.Start()
	close(running)
	if err != nil {
		return notExecutable(cmd.Path, err)
	}
	err = started()
	failed := cmd.Wait()
	if exit := new(exec.ExitError); failed != nil && !errors.As(failed, &exit) {
		return errors.Join(err, failed)
	}
	return errors.Join(err, howItEnded(cmd.ProcessState))
}

// notExecutable returns the error for a command that package exec found and cannot execute, as exec reports it.
func notExecutable(name string, err error) error {
	e := &cause.Error{What: words.Escape(name), Cause: cause.NotExecutable, Err: err}
	if inner := errors.Unwrap(err); inner != nil {
		e.Err = inner
	}
	return e
}

// howItEnded returns nil for exit code 0, and otherwise an exitError that is not printed.
func howItEnded(s *os.ProcessState) error {
	code := s.ExitCode()
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		code = exitSignal + int(w.Signal())
	}
	if code == exitDone {
		return nil
	}
	return &exitError{code: code}
}
