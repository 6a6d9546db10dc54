package poll

import (
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// expectAwake is how long Expect waits without the scheduler. A processor that is kept longer costs an idle program
// more than the next packet gains.
const expectAwake = 20 * time.Millisecond

// expectCalm is a wait after which other goroutines get the processor.
const expectCalm = time.Millisecond

// Expect waits as Wait does, for an event that probably comes soon. At first the scheduler does not know of the wait:
// the event then wakes this thread only. When a longer wait ends, the runtime also wakes its monitor, which competes
// with the programs at both ends of a packet's way.
func (w *Waiter) Expect(deadline time.Time) error {
	if w.calm { // otherwise the monitor interrupts the next wait with a signal
		runtime.Gosched()
	}
	most := expectAwake
	if !deadline.IsZero() {
		most = min(most, max(0, time.Until(deadline)))
	}
	left := unix.NsecToTimespec(int64(most))
	for {
		// The kernel subtracts the time that it waited.
		n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&w.fds[0])), uintptr(len(w.fds)),
			uintptr(unsafe.Pointer(&left)), 0, 0, 0)
		switch {
		case errno == unix.EINTR: // by a signal, or by the monitor: another goroutine may wait for the processor
			runtime.Gosched()
		case errno != 0:
			return os.NewSyscallError("ppoll", errno)
		case n > 0:
			w.calm = int64(most)-left.Nano() > int64(expectCalm)
			return nil
		default:
			w.calm = false
			return w.Wait(deadline)
		}
	}
}

// Watch sets for what Wait and Expect wait at the n-th descriptor, counted from 0: bytes to read, room to write, or
// errors only. The descriptor -1 is not watched.
func (w *Waiter) Watch(n, fd int, read, write bool) {
	p := &w.fds[placeFirst+n]
	p.Fd, p.Events, p.Revents = int32(fd), 0, 0
	if read {
		p.Events |= unix.POLLIN
	}
	if write {
		p.Events |= unix.POLLOUT
	}
}
