package packet

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// readNow reads from a non-blocking descriptor. The scheduler does not know of the call: it would count each call, and
// take the goroutine's processor away in some of them. The buffer is not empty.
func readNow(fd int, b []byte) (int, error) { return callNow(unix.SYS_READ, fd, b) }

// writeNow writes to a non-blocking descriptor as readNow reads.
func writeNow(fd int, b []byte) (int, error) { return callNow(unix.SYS_WRITE, fd, b) }

func callNow(call uintptr, fd int, b []byte) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}
