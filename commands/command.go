package commands

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// exitSignal plus the number of a signal is the exit code of a command that the signal ended, as in a shell.
const exitSignal = 128

// A commandExit is the exit code of the user's command. Without an error it is not printed: the command has printed its own.
type commandExit struct {
	code int
	err  error // the command could not be started; nil: it ran
}

func (e *commandExit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

// A usageHint is an error with a hint.
type usageHint struct {
	error
	hint string
}

// runCommand runs a command, and passes signals on to it until it ends. The command does not outlive this process. started
// is called when the command has its descriptors. After an earlier signal, runCommand returns nil and runs no command.
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
	if !caught.pass(pass) {
		return nil
	}
	defer caught.pass(nil)
	caught.add(syscall.SIGUSR1, syscall.SIGUSR2)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // not ignored, as the child would inherit that; caught, as it would end this process
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	err := cmd.Start()
	close(running)
	if err != nil {
		return &commandExit{code: exitNotExecutable, err: err}
	}
	err = started()
	failed := cmd.Wait()
	if exit := new(exec.ExitError); failed != nil && !errors.As(failed, &exit) {
		return errors.Join(err, failed)
	}
	return errors.Join(err, howItEnded(cmd.ProcessState))
}

// howItEnded returns nil for exit code 0, and else a commandExit.
func howItEnded(s *os.ProcessState) error {
	code := s.ExitCode()
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		code = exitSignal + int(w.Signal())
	}
	if code == exitDone {
		return nil
	}
	return &commandExit{code: code}
}
