// Package guard finishes what a process that is killed cannot finish: a guardian, a second process, waits for its end.
package guard

import (
	"encoding/hex"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// Name is the first word of the command line of a guardian: [Start] and [Hold] run the program once more under this
// name, which then calls [Watch].
const Name = "tunadm-guardian"

// Start starts a guardian that writes a request to a netlink socket if this process ends before it calls dismiss, even
// by SIGKILL. The guardian inherits no lock and no queue. If it cannot be started, it sends nothing.
func Start(socket int, request []byte) (dismiss func()) {
	var pipe [2]int
	if unix.Pipe2(pipe[:], unix.O_CLOEXEC) != nil {
		return func() {}
	}
	attributes := &syscall.SysProcAttr{}
	if os.Geteuid() != 0 { // root has its capabilities again after an execve
		attributes.AmbientCaps = []uintptr{unix.CAP_NET_ADMIN}
	}
	pid, err := start(hex.EncodeToString(request), attributes, pipe[0], socket)
	unix.Close(pipe[0])
	if err != nil {
		unix.Close(pipe[1])
		return func() {}
	}
	return func() {
		end(pid)
		unix.Close(pipe[1])
	}
}

// start runs the program as a guardian with these files as its standard input and output, and returns its PID.
func start(duty string, attributes *syscall.SysProcAttr, in, out int) (int, error) {
	attributes.Setpgid = true // a signal to this process group does not reach it
	return syscall.ForkExec("/proc/self/exe", []string{Name, duty}, &syscall.ProcAttr{
		Env:   os.Environ(),
		Files: []uintptr{uintptr(in), uintptr(out), uintptr(out)},
		Sys:   attributes,
	})
}

// end kills a guardian that has not ended yet, and waits until it has.
func end(pid int) {
	_ = unix.Kill(pid, unix.SIGKILL)
	for err := error(unix.EINTR); err == unix.EINTR; {
		_, err = unix.Wait4(pid, nil, 0, nil)
	}
}

// Watch does the duty of a guardian when the process that started it has ended: it writes a request, in hexadecimal, to
// its standard output, the socket, or it restores what [Hold] passed to it.
func Watch(duty string) error {
	signal.Ignore(unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT) // those are for the process that started it
	if duty == holding {
		return watchQueues()
	}
	message, err := hex.DecodeString(duty)
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
