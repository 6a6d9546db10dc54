package commands

import (
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// heldSignals are the signals that stop a run. They wait while exec changes devices, which it can then restore.
type heldSignals chan os.Signal

func holdSignals() heldSignals {
	h := make(heldSignals, 1)
	h.hold()
	return h
}

// hold holds the signals until release. Ignored ones remain ignored, for the program.
func (h heldSignals) hold() {
	for _, s := range []os.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT} {
		if !signal.Ignored(s) {
			signal.Notify(h, s)
		}
	}
}

// release reports whether no signal has arrived. Then later signals end the process at once.
func (h heldSignals) release() bool {
	signal.Stop(h)
	if len(h) > 0 {
		h.hold()
		return false
	}
	return true
}

// end ends the process by the signal that has arrived. SIGQUIT ends it with the exit code of a shell instead, because
// the runtime would print a stack.
func (h heldSignals) end() error {
	came := (<-h).(syscall.Signal)
	signal.Stop(h)
	if came != unix.SIGQUIT {
		runtime.LockOSThread()
		_ = unix.Tgkill(os.Getpid(), unix.Gettid(), came)
	}
	return &exitError{code: exitSignal + int(came)}
}
