package commands

import (
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// quitQuietly has SIGQUIT end this process as the kernel does it. The handler of the Go runtime would print all stacks,
// and exit 2, the status of a wrong command line. It must not be called in a run that catches signals, because the
// runtime does not notice.
func quitQuietly() {
	var byDefault [64]byte // a struct sigaction of zeros: SIG_DFL, on all architectures
	size := uintptr(8)     // of the kernel's sigset_t
	if strings.HasPrefix(runtime.GOARCH, "mips") {
		size *= 2
	}
	_, _, _ = unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGQUIT), uintptr(unsafe.Pointer(&byDefault)), 0,
		size, 0, 0)
}
