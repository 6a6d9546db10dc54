// Package guard sends a netlink request if the process that asks for it is killed.
package guard

import (
	"encoding/hex"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Name is the first word of the command line of a guardian: [Start] runs the program once more under this name, which
// then calls [Watch].
const Name = "tunadm-guardian"

// Start starts a guardian, a process that writes a request to a netlink socket if this process ends before it calls
// dismiss, even by SIGKILL. The guardian inherits no lock and no queue. If it cannot be started, it sends nothing.
func Start(socket int, request []byte) (dismiss func()) {
	var pipe [2]int
	if unix.Pipe2(pipe[:], unix.O_CLOEXEC) != nil {
		return func() {}
	}
	attributes := &syscall.SysProcAttr{Setpgid: true} // a signal to this process group does not reach it
	if os.Geteuid() != 0 {                            // root has its capabilities again after an execve
		attributes.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN}
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{Name, hex.EncodeToString(request)},
		&syscall.ProcAttr{
			Env:   os.Environ(),
			Files: []uintptr{uintptr(pipe[0]), uintptr(socket), uintptr(socket)},
			Sys:   attributes,
		})
	unix.Close(pipe[0])
	if err != nil {
		unix.Close(pipe[1])
		return func() {}
	}
	return func() {
		_ = unix.Kill(pid, unix.SIGKILL)
		for err := error(unix.EINTR); err == unix.EINTR; {
			_, err = unix.Wait4(pid, nil, 0, nil)
		}
		unix.Close(pipe[1])
	}
}

// Watch waits for the end of its standard input, which is that of the process that called [Start], and then writes the
// request, in hexadecimal, to its standard output, the socket.
func Watch(request string) error {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP) // those are for the process that called Start
	message, err := hex.DecodeString(request)
	if err != nil {
		return err
	}
	for {
		n, err := unix.Read(0, make([]byte, 1))
		switch {
		case err == unix.EINTR:
		case err != nil:
			return err
		case n == 0:
			_, err = unix.Write(1, message)
			return err
		}
	}
}
