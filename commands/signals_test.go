package commands

import (
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestASignalIsPassedOnOnce sends a signal while a command begins and runs: it ends the run, or goes to the command,
// and never both.
func TestASignalIsPassedOnOnce(t *testing.T) {
	for range 2000 {
		ctx, caught := catchSignals()
		passed := make(chan os.Signal, 10)
		sent := make(chan error, 1)
		go func() { sent <- syscall.Kill(os.Getpid(), syscall.SIGINT) }()
		caught.pass(func(s os.Signal) { passed <- s })
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
		select {
		case <-passed:
			if ctx.Err() != nil {
				t.Fatal("the signal is passed on, and ends the run")
			}
		case <-ctx.Done():
			if len(passed) > 0 || caught.pass(nil) == nil {
				t.Fatal("the signal ends the run, and a command is begun")
			}
		case <-time.After(nstest.Patience(10 * time.Second)):
			t.Fatal("the signal is lost")
		}
		caught.stop()
	}
}

// TestACommandGetsTheSignalThatCame has a command say which signals it got.
func TestACommandGetsTheSignalThatCame(t *testing.T) {
	_, caught := catchSignals()
	defer caught.stop()
	cmd := exec.Command("sh", "-c",
		`trap 'exit 3' INT; trap 'exit 4' TERM; kill -INT $PPID; while :; do sleep 0.01; done`)
	err := runCommand(caught, cmd, func() error { return nil })
	if e := new(exitError); !errors.As(err, &e) || e.code != 3 {
		t.Errorf("it ends with %v", err)
	}
}

// TestASignalBeforeTheCommand ends the run before it runs its command, as if the signal had ended the command.
func TestASignalBeforeTheCommand(t *testing.T) {
	ctx, caught := catchSignals()
	defer caught.stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ctx.Done():
	case <-time.After(nstest.Patience(10 * time.Second)):
		t.Fatal("the signal is lost")
	}
	err := runCommand(caught, exec.Command("true"), func() error { return nil })
	if e := new(exitError); !errors.As(err, &e) || e.code != exitSignal+int(syscall.SIGTERM) {
		t.Errorf("it ends with %v", err)
	}
}

// stop catches no more signals.
func (c *interrupts) stop() {
	signal.Stop(c.caught)
	close(c.caught)
}
