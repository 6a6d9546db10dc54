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
// its descriptors. A signal that came before is success, and there is no command then.
func runCommand(caught *interrupts, cmd *exec.Cmd, started func() error) error {
	runtime.LockOSThread() // whose death the child hears of
	defer runtime.UnlockOSThread()
	running := make(chan struct{})
	pass := func(s os.Signal) {
		<-running
		if cmd.Process != nil {
			_ = cmd.Process.Signal(s) // it may have ended
		}
	}
	if !caught.pass(pass) {
		return nil
	}
	defer caught.pass(nil)
	caught.add(syscall.SIGUSR1, syscall.SIGUSR2)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // not ignored, which the child would inherit, and no end of this process either
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
