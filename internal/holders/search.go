// Package holders finds the processes that hold queues of TUN/TAP devices, by their descriptors in /proc. A second
// process does the search, since a hostile descriptor can block whoever looks at it.
package holders

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/poll"
)

const (
	// longest is the time that a search should take at most, on an idle machine. With 1,000 processes it takes about
	// 20 ms, and some hundred on a machine that creates and deletes devices all the time, since each look takes the
	// kernel's lock of all network devices. A user who opens 100,000 descriptors, or a file that blocks its readers,
	// must not stop the administrator for longer.
	longest = 3 * time.Second

	// strandedMax is the number of examiners that may be left behind, each blocked by a file of another user.
	strandedMax = 4
)

// End returns when a search that begins now should end at most: after [longest], on a busy machine later.
func End() time.Time { return time.Now().Add(poll.Patient(longest)) }

// A Process holds queues of one device.
type Process struct {
	PID      int
	UID      uint32
	Command  string // as in /proc/PID/comm: any bytes, up to 15
	Queues   int    // descriptors of the device
	Claims   int    // the Queues that were opened with ClaimMark
	Probable bool   // the name matches, but whether it is this namespace's device could not be looked up
}

// A Sight is the part of the processes that could be looked at.
type Sight uint8

// The sights.
const (
	Whole     Sight = iota
	Forbidden       // not the processes of other users
	Cut             // the time was over, or no examiner could be started
)

// Findings are the result of a search.
type Findings struct {
	Processes map[string][]Process // by the name of the device, in the order of their PIDs
	Sight     Sight
	Vanished  int // processes that ended, or detached, during the search
}

// A Search starts examiners, and remembers those that did not end. Its zero value is ready for use.
type Search struct {
	stranded []int // PIDs
}

// Find looks until end for the processes that hold queues of devices of the thread's network namespace. Queues is the
// number of queues that the kernel counts, by the name of the device. The process itself is left out.
//
// To take a descriptor from a process, to read what the kernel reports of one, and to close it can each block forever,
// even against SIGKILL, if its owner puts a file there whose file system does not answer. So the examiner does all of
// this: it inherits no lock and no queue, and is left behind if it does not answer in time.
func (s *Search) Find(queues map[string]int, end time.Time) Findings {
	cut := Findings{Sight: Cut}
	s.stranded = slices.DeleteFunc(s.stranded, reaped)
	if len(s.stranded) >= strandedMax {
		return cut
	}
	var pipe [2]int
	if unix.Pipe2(pipe[:], unix.O_CLOEXEC) != nil {
		return cut
	}
	defer unix.Close(pipe[0])
	permitted := permittedCapabilities()
	words := []string{Examiner, strconv.Itoa(os.Getpid()), time.Until(end).String(), strconv.FormatUint(permitted, 16)}
	for name, count := range queues {
		words = append(words, name, strconv.Itoa(count))
	}
	pidfd, attributes := -1, &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	attributes.PidFD = &pidfd
	if os.Geteuid() != 0 { // root has its capabilities again after an execve
		for c := range uintptr(64) {
			if permitted>>c&1 != 0 {
				attributes.AmbientCaps = append(attributes.AmbientCaps, c)
			}
		}
	}
	out := uintptr(pipe[1])
	process := &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{out, out, out}, Sys: attributes}
	pid, err := syscall.ForkExec("/proc/self/exe", words, process)
	unix.Close(pipe[1])
	if err != nil {
		return cut
	}
	if pidfd >= 0 {
		defer unix.Close(pidfd)
	}
	f := parse(poll.ReadUntil(pipe[0], end))
	if f.Sight == Cut {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	poll.Input(pidfd, end.Add(longest/50))
	if !reaped(pid) {
		s.stranded = append(s.stranded, pid)
	}
	return f
}

// reaped reports whether a child has ended, and frees its PID.
func reaped(pid int) bool {
	n, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
	return n == pid || err == unix.ECHILD
}

// parse reads the lines of an examiner. A later line of a process and a device replaces the earlier one. Without the
// last line, the search was cut short.
func parse(lines []byte) Findings {
	f := Findings{Processes: map[string][]Process{}, Sight: Cut}
	for line := range bytes.Lines(lines) {
		var p Process
		var name string
		var hidden int
		if n, _ := fmt.Sscanf(string(line), endLine, &hidden, &f.Vanished); n == 2 {
			f.Sight = Whole
			if hidden > 0 {
				f.Sight = Forbidden
			}
		}
		n, _ := fmt.Sscanf(string(line), processLine,
			&p.PID, &p.UID, &p.Queues, &p.Claims, &p.Probable, &name, &p.Command)
		if n != 7 {
			continue
		}
		others := slices.DeleteFunc(f.Processes[name], func(o Process) bool { return o.PID == p.PID })
		if p.Queues > 0 {
			others = append(others, p)
		}
		f.Processes[name] = others
	}
	for _, processes := range f.Processes {
		slices.SortFunc(processes, func(a, b Process) int { return a.PID - b.PID })
	}
	return f
}
