package sysctl

import (
	"errors"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// errNotBegun is the error of a write that the kernel did not begin, and of each write after it.
var errNotBegun = errors.New("not begun")

// A kernelWrite is one write of [writeAll].
type kernelWrite struct {
	fd   int
	data []byte
}

// ioControl is the kernel's struct iocb, and ioEvent is its struct io_event.
type (
	ioControl struct {
		data   uint64
		_      [2]uint32
		opcode uint16
		_      int16
		fd     uint32
		buffer uint64
		length uint64
		_      int64
		_      uint64
		_      uint32
		_      uint32
	}
	ioEvent struct {
		data   uint64
		_      uint64
		result int64
		_      int64
	}
)

// writeAll writes one after the other in a single system call (AIO). A signal, even SIGKILL, comes before the first or
// after the last. The kernel must write to each file synchronously. The results are an error or nil for each write.
func writeAll(writes []kernelWrite) ([]error, error) {
	const pwrite = 1 // IOCB_CMD_PWRITE
	var pin runtime.Pinner
	defer pin.Unpin()
	controls := make([]*ioControl, len(writes))
	for i, w := range writes {
		pin.Pin(&w.data[0])
		controls[i] = &ioControl{
			data: uint64(i), opcode: pwrite, fd: uint32(w.fd),
			buffer: uint64(uintptr(unsafe.Pointer(&w.data[0]))), length: uint64(len(w.data)),
		}
		pin.Pin(controls[i])
	}
	var queue uintptr
	count := uintptr(len(writes))
	if _, _, errno := unix.Syscall(unix.SYS_IO_SETUP, count, uintptr(unsafe.Pointer(&queue)), 0); errno != 0 {
		return nil, errno
	}
	defer func() { _, _, _ = unix.Syscall(unix.SYS_IO_DESTROY, queue, 0, 0) }()
	done, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, queue, count, uintptr(unsafe.Pointer(&controls[0])))
	if errno != 0 {
		return nil, errno
	}
	results := make([]error, len(writes))
	for i := range results {
		results[i] = errNotBegun
	}
	events := make([]ioEvent, done)
	done, _, errno = unix.Syscall6(unix.SYS_IO_GETEVENTS, queue, 0, done, uintptr(unsafe.Pointer(&events[0])), 0, 0)
	if errno != 0 {
		return nil, errno
	}
	for _, e := range events[:done] {
		results[e.data] = nil
		if e.result < 0 {
			results[e.data] = unix.Errno(-e.result)
		}
	}
	return results, nil
}
