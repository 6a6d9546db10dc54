package accounts

import (
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/poll"
)

// The host's name service answers in milliseconds or not at all. The look-ups of a Directory wait for it for
// nameServiceTime in total, and then do not ask it for nameServiceRest.
const (
	nameServiceTime = 5 * time.Second
	nameServiceRest = time.Minute
)

// A nameService asks the host's name service by getent(1), for accounts that are not kept in /etc.
type nameService struct {
	mu    sync.Mutex
	spent time.Duration // on waiting
	asked time.Time     // last
}

// answers reports whether the name service answered when it was last asked.
func (s *nameService) answers() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spent < nameServiceTime
}

// lines returns the lines that getent(1) prints for the keys of a database, none if there is no getent. The error is
// ErrSilent.
func (s *nameService) lines(database string, keys ...string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) > nameServiceRest {
		s.spent = 0
	}
	if s.spent >= nameServiceTime {
		return nil, ErrSilent
	}
	s.asked = time.Now()
	defer func() { s.spent += time.Since(s.asked) }()
	end := s.asked.Add(nameServiceTime - s.spent)
	for _, path := range []string{"/usr/bin/getent", "/bin/getent"} {
		out, err := output(append([]string{path, database}, keys...), end)
		if err == nil || err == ErrSilent {
			return strings.Split(strings.TrimRight(string(out), "\n"), "\n"), err
		}
	}
	return nil, nil
}

// output runs a program until end, and returns what it printed. An exit code is not an error, since getent exits with 2
// if one of several keys is unknown. It works without the runtime's poller, which ends the program if it cannot start.
func output(command []string, end time.Time) ([]byte, error) {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	defer unix.Close(pipe[0])
	null, err := unix.Open(os.DevNull, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(pipe[1])
		return nil, err
	}
	defer unix.Close(null)
	pid, err := syscall.ForkExec(command[0], command, &syscall.ProcAttr{
		Env:   []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
		Files: []uintptr{uintptr(null), uintptr(pipe[1]), uintptr(null)},
		Sys:   &syscall.SysProcAttr{Pdeathsig: unix.SIGKILL}, // a signal may end this run meanwhile
	})
	unix.Close(pipe[1])
	if err != nil {
		return nil, err
	}
	out := poll.ReadUntil(pipe[0], end)
	silent := !time.Now().Before(end)
	_ = unix.Kill(pid, unix.SIGKILL) // it has closed its output, or it is too late
	for err = unix.EINTR; err == unix.EINTR; {
		_, err = unix.Wait4(pid, nil, 0, nil)
	}
	if silent {
		return nil, ErrSilent
	}
	return out, nil
}
