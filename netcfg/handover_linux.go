package netcfg

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// A Queue is one that is handed to another program.
type Queue struct {
	Device string
	File   *os.File
}

// firstHanded is the descriptor of the first queue, as sd_listen_fds(3) has it.
const firstHanded = 3

// searchPath is where execvp(3) looks for programs when there is no PATH.
const searchPath = "/bin:/usr/bin"

// Execute becomes another program, with the queues as its descriptors 3, 4, ... and, of those of this one, 0 to 2. It runs as the person,
// without capabilities, unless that is nil. It returns with an [*Error], and then the process must end.
func Execute(words []string, queues []Queue, as *Person) error {
	failed := make(chan error)
	go func() {
		// A thread of its own is in the network namespace in which the process was started, even if Open took its caller into another.
		runtime.LockOSThread()
		failed <- execute(words, queues, as)
	}()
	return <-failed
}

func execute(words []string, queues []Queue, as *Person) error {
	if as != nil {
		if err := as.become(); err != nil {
			return err
		}
	}
	if err := place(queues); err != nil {
		return &Error{What: "hand the queues over", Err: err}
	}
	devices := make([]string, len(queues))
	for i, q := range queues {
		devices[i] = q.Device
	}
	env := append(ListenEnvironment(os.Environ(), devices), "LISTEN_PID="+strconv.Itoa(os.Getpid()))
	path, err := cmp.Or(os.Getenv("PATH"), searchPath), error(unix.ENOENT)
	if strings.Contains(words[0], "/") {
		return explainExec(words[0], syscall.Exec(words[0], words, env))
	}
	for _, dir := range filepath.SplitList(path) {
		switch e := syscall.Exec(cmp.Or(dir, ".")+"/"+words[0], words, env); {
		case errors.Is(e, unix.ENOENT), errors.Is(e, unix.ENOTDIR):
		case errors.Is(e, unix.EACCES): // another directory may have one that is meant to be executed
			err = e
		default:
			return explainExec(words[0], e)
		}
	}
	return explainExec(words[0], err)
}

// ListenEnvironment is an environment with the variables of sd_listen_fds(3) for queues of these devices, but for LISTEN_PID, and without any
// that were for this program.
func ListenEnvironment(env, devices []string) (to []string) {
	for _, v := range env {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES":
		default:
			to = append(to, v)
		}
	}
	return append(to, "LISTEN_FDS="+strconv.Itoa(len(devices)), "LISTEN_FDNAMES="+strings.Join(devices, ":"))
}

// place puts the queues to their numbers, and has all else closed on exec. These numbers may be the runtime's own, which other threads
// use until the very end: so it works on a copy of the table of descriptors that only this thread has.
func place(queues []Queue) error {
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		return err
	}
	end := firstHanded + len(queues)
	high := make([]int, len(queues))
	for i, q := range queues {
		fd, err := unix.FcntlInt(q.File.Fd(), unix.F_DUPFD_CLOEXEC, end)
		if err != nil {
			return err
		}
		high[i] = fd
	}
	for i, fd := range high {
		if err := unix.Dup3(fd, firstHanded+i, 0); err != nil {
			return err
		}
		if err := unix.SetNonblock(firstHanded+i, false); err != nil {
			return err
		}
	}
	if unix.CloseRange(uint(end), math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil { // Linux 5.11
		return nil
	}
	return closeOnExec(end)
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

// become gives up all that the program may do and the person may not. Root gets its capabilities back from the exec.
func (p *Person) become() error {
	who := Escape(p.ID.String())
	if len(p.Groups) == 0 {
		return &Error{What: "user " + who, Cause: NoUser, Detail: "nobody has that number, so it has no group"}
	}
	groups := make([]int, len(p.Groups))
	for i, g := range p.Groups {
		groups[i] = int(g)
	}
	uid, gid := int(p.ID.Number), groups[0]
	err := syscall.Setgroups(groups)
	if err == nil {
		err = syscall.Setresgid(gid, gid, gid)
	}
	if err == nil {
		err = syscall.Setresuid(uid, uid, uid)
	}
	if err == nil && uid != 0 {
		err = dropCapabilities()
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EINVAL):
		return &Error{What: "become user " + who, Detail: "this user namespace has no such user or group", Err: err}
	case errors.Is(err, unix.EPERM):
		return &Error{What: "become user " + who, Cause: NotPermitted, Fix: asRoot(), Err: err}
	}
	return &Error{What: "become user " + who, Err: err}
}

// dropCapabilities takes what a change from one ordinary user to another leaves.
func dropCapabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	var none [2]unix.CapUserData
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &none[0])
}

// explainExec says why a program could not be executed.
func explainExec(program string, err error) error {
	e := &Error{What: Escape(program), Cause: NotExecutable, Err: err}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		e.Cause = NoProgram
		if _, statErr := os.Stat(program); statErr == nil && strings.Contains(program, "/") {
			e.Detail = "the program that its first line names, or its loader, is missing"
		}
	}
	return e
}
