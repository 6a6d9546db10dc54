// Package notify reports the state of this process to the service manager, and keeps descriptors there, as sd_notify(3)
// and sd_listen_fds(3) do.
package notify

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// firstListened is the number of the first descriptor that the manager hands over.
const firstListened = 3

// Send sends assignments, one per line, and descriptors to the service manager. It does nothing if there is none.
func Send(state string, descriptors ...int) error {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return nil
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	var rights []byte
	if len(descriptors) > 0 {
		rights = unix.UnixRights(descriptors...)
	}
	err = unix.Sendmsg(fd, []byte(state), rights, &unix.SockaddrUnix{Name: path}, 0) // "@": an abstract name
	return os.NewSyscallError("sendmsg", err)
}

// Listened returns the descriptors that the manager handed over to this process, and their names: those that an earlier
// process stored, too. They are closed on exec.
func Listened() (descriptors []int, names []string) {
	pid, _ := strconv.Atoi(os.Getenv("LISTEN_PID"))
	n, _ := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if pid != os.Getpid() {
		return nil, nil
	}
	given := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for i := range n {
		unix.CloseOnExec(firstListened + i)
		name := ""
		if i < len(given) {
			name = given[i]
		}
		descriptors, names = append(descriptors, firstListened+i), append(names, name)
	}
	return descriptors, names
}
