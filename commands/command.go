package commands

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// exitSignal is what a shell adds to the number of the signal that ended a command.
const exitSignal = 128

// A commandExit is how the user's command ended. Without an error it has no words: the command had its say.
type commandExit struct {
	code int
	err  error // it did not even begin
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

// runCommand runs a command, and passes signals on to it until it ends. It does not outlive this process. started is called when the command has
// its descriptors.
func runCommand(ctx context.Context, cmd *exec.Cmd, started func() error) error {
	runtime.LockOSThread() // whose death the child hears of
	defer runtime.UnlockOSThread()
	passed := make(chan os.Signal, 16)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2} {
		if !signal.Ignored(s) {
			signal.Notify(passed, s)
		}
	}
	defer signal.Stop(passed)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // not ignored, which the child would inherit, and no end of this process either
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return &commandExit{code: exitNotExecutable, err: err}
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	err := started()
	stopped, told := ctx.Done(), false
	for {
		select {
		case <-stopped: // a signal may have come before there was a command to pass it on to
			if stopped = nil; !told && len(passed) == 0 {
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
		case s := <-passed:
			told = true
			_ = cmd.Process.Signal(s) // it may have ended
		case failed := <-ended:
			if exit := new(exec.ExitError); failed != nil && !errors.As(failed, &exit) {
				return errors.Join(err, failed)
			}
			return errors.Join(err, howItEnded(cmd.ProcessState))
		}
	}
}

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
