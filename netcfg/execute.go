package netcfg

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// searchPath is where execvp(3) looks for programs when there is no PATH.
const searchPath = "/bin:/usr/bin"

// An Execution is a thread that is about to become another program. It has the program's rights already, which the other threads have not:
// what fails before the exec can still be undone by them.
type Execution struct {
	words []string
	path  string // of the program
	run   chan []*Attached
	ended chan error
}

// PrepareExecution finds the program and gives a thread its rights. The thread is in the network namespace in which the process was started,
// even if Open took its caller into another. The error is an [*Error].
func PrepareExecution(words []string, rights Rights) (*Execution, error) {
	e := &Execution{words: words, run: make(chan []*Attached), ended: make(chan error)}
	go func() {
		runtime.LockOSThread()
		var err error
		if rights.As != nil {
			err = rights.become()
		}
		if err == nil {
			e.path, err = findProgram(words[0])
		}
		if e.ended <- err; err == nil {
			e.ended <- e.execute(<-e.run)
		}
		select {} // a thread with rights and descriptors of its own is of no more use
	}()
	return e, <-e.ended
}

// Run becomes the program, with the queues as its descriptors 3, 4, ... and, of those of this process, 0 to 2. It returns only with an
// [*Error]; then nothing but the devices' carrier has changed, and the process must end.
func (e *Execution) Run(all []*Attached) error {
	e.run <- all
	return <-e.ended
}

func (e *Execution) execute(all []*Attached) error {
	var devices []string
	for _, a := range all {
		devices = append(devices, slices.Repeat([]string{a.Name}, len(a.Queues))...)
	}
	env := append(ListenEnvironment(os.Environ(), devices), "LISTEN_PID="+strconv.Itoa(os.Getpid()))
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		return &Error{What: "hand the queues over", Err: err}
	}
	err := place(all)
	if err == nil {
		if err = syscall.Exec(e.path, e.words, env); err != nil {
			err = explainExec(e.words[0], e.path, err)
		}
	}
	for _, a := range all { // this thread's copies: the devices must not stay in use
		for _, f := range a.Queues {
			unix.Close(int(f.Fd()))
		}
	}
	for i := range devices {
		unix.Close(firstHanded + i)
	}
	return err
}

// findProgram searches for a program as execvp(3) does, among what the thread may execute.
func findProgram(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, explainExec(name, name, executable(name))
	}
	found := error(unix.ENOENT)
	for _, dir := range filepath.SplitList(cmp.Or(os.Getenv("PATH"), searchPath)) {
		path := cmp.Or(dir, ".") + "/" + name
		switch err := executable(path); {
		case err == nil:
			return path, nil
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		case errors.Is(err, unix.EACCES): // another directory may have one that is meant to be executed
			found = err
		default:
			return "", explainExec(name, path, err)
		}
	}
	return "", explainExec(name, name, found)
}

// executable says why the thread may not execute a file, or nil.
func executable(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return unix.EACCES
	}
	return unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS)
}

// explainExec says why a program cannot be executed, if there is an error.
func explainExec(program, path string, err error) error {
	if err == nil {
		return nil
	}
	e := &Error{What: Escape(program), Cause: NotExecutable, Err: err}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		e.Cause = NoProgram
		var st unix.Stat_t
		if unix.Stat(path, &st) == nil && strings.Contains(path, "/") {
			e.Detail = "the program that its first line names, or its loader, is missing"
		}
	}
	return e
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
