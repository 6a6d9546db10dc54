package commands

import (
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/driver"
)

// firstHanded is the descriptor of the first queue, as in sd_listen_fds(3).
const firstHanded = 3

// handOver moves the queues to their descriptors, has all other descriptors closed on exec, and turns on the carriers.
// The runtime may use the same numbers until the exec, in other threads: the thread must have its own table of
// descriptors.
func handOver(all []*attach.Attached) error {
	failed := func(err error) error { return &cause.Error{What: "hand the queues over", Err: err} }
	end := firstHanded
	for _, a := range all {
		end += len(a.Queues)
	}
	var copies []int // above all descriptors that are handed over
	for _, a := range all {
		for _, f := range a.Queues {
			fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, end)
			if err != nil {
				return failed(err)
			}
			defer unix.Close(fd)
			copies = append(copies, fd)
		}
	}
	for i, fd := range copies {
		if err := unix.Dup3(fd, firstHanded+i, 0); err != nil {
			return failed(err)
		}
	}
	if unix.CloseRange(uint(end), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) != nil { // Linux 5.11
		if err := closeOnExec(end); err != nil {
			return failed(err)
		}
	}
	next := firstHanded
	for _, a := range all {
		if err := driver.TurnOnCarrier(next); err != nil {
			return attach.QueueError(a.Name, &cause.Error{Device: a.Name, What: "carrier", Err: err})
		}
		next += len(a.Queues)
	}
	return nil
}

// closeOnExec has all descriptors from a number on closed on exec.
func closeOnExec(from int) error {
	open, err := os.ReadDir("/proc/thread-self/fd")
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd >= from {
			unix.CloseOnExec(fd)
		}
	}
	return err
}
