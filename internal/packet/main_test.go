package packet

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/nstest"
)

// TestMain is also the examiner and the guardian that the tests start.
func TestMain(m *testing.M) {
	switch os.Args[0] {
	case holders.Examiner:
		_ = holders.Examine(os.Args[1:], os.Stdout)
		return
	case guard.Name:
		_ = guard.Watch(os.Args[1])
		return
	}
	os.Exit(nstest.Main(inNamespace{m}))
}

// inNamespace runs all tests in one network namespace of their own. One a thread, as nstest.Enter gives, would not do:
// the goroutines of a tunnel open sockets on whatever thread they are.
type inNamespace struct{ *testing.M }

const entered = "TUNADM_TEST_PACKET"

func (n inNamespace) Run() int {
	if os.Getenv(entered) != "" {
		return n.M.Run()
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), entered+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	err := cmd.Run()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return exit.ExitCode()
	} else if err != nil {
		panic(err)
	}
	return 0
}
