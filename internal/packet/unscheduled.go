package packet

import (
	"io"
	"net"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
)

// readNow reads from a non-blocking descriptor. The scheduler does not know of the call: it would count each call, and
// take the goroutine's processor away in some of them. The buffer is not empty.
func readNow(fd int, b []byte) (int, error) {
	return callNow(unix.SYS_READ, fd, unsafe.Pointer(&b[0]), len(b))
}

// writeNow writes to a non-blocking descriptor as readNow reads.
func writeNow(fd int, b []byte) (int, error) {
	return callNow(unix.SYS_WRITE, fd, unsafe.Pointer(&b[0]), len(b))
}

func callNow(call uintptr, fd int, data unsafe.Pointer, last int) (int, error) {
	for {
		n, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(data), uintptr(last))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// A socket is a connected stream socket. If nothing can be read or written at once, the error is EAGAIN.
type socket int

func (s socket) Read(b []byte) (int, error) {
	n, err := readNow(int(s), b)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, err
}

func (s socket) Write(b []byte) (int, error) { return writeNow(int(s), b) }

// takeOver returns the socket of a connection, which it closes: the runtime's poller would wake for each packet.
func takeOver(conn net.Conn) (fd int, err error) {
	defer conn.Close()
	fd = -1
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return -1, err
	}
	if failed := raw.Control(func(old uintptr) {
		fd, err = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
	}); failed != nil {
		return -1, failed
	}
	return fd, err
}

// noWait returns the error of a program that cannot wait for packets.
func noWait(device string, err error) error {
	return &cause.Error{Device: device, What: "wait for packets", Err: err}
}

// cacheLine is the size in bytes of a cache line of most processors.
const cacheLine = 64

// aligned returns a buffer of n bytes, in which a cache line begins at an offset. The kernel copies long packets faster
// to such a place.
func aligned(n, offset int) []byte {
	b := make([]byte, n+cacheLine)
	past := (int(uintptr(unsafe.Pointer(&b[0]))%cacheLine) + offset) % cacheLine
	from := (cacheLine - past) % cacheLine
	return b[from : from+n : from+n]
}
