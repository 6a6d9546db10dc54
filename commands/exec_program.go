package commands

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

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// searchPath is where execvp(3) searches for programs if PATH is not set.
const searchPath = "/bin:/usr/bin"

// An execution is a thread that is about to become another program. It already has the program's rights. The other
// threads do not, so they can still undo the attachment if the exec fails.
type execution struct {
	words []string
	path  string // of the program
	run   chan func() error
	ended chan error
}

// prepareExecution finds the program and gives a thread its rights. The thread is in the network namespace in which the
// process was started, even if netcfg.Open moved the caller to another one. The error is a [*cause.Error].
func prepareExecution(words []string, asked rights) (*execution, error) {
	e := &execution{words: words, run: make(chan func() error), ended: make(chan error)}
	go func() {
		runtime.LockOSThread()
		var err error
		if asked.person != nil {
			err = asked.become()
		}
		if err == nil {
			e.path, err = findProgram(words[0])
		}
		if e.ended <- err; err == nil {
			e.ended <- (<-e.run)()
		}
		select {} // no other goroutine may use a thread with different rights and descriptors
	}()
	return e, <-e.ended
}

// launch attaches to the devices and executes the program. If that fails, or a held signal has arrived, it restores the
// devices, and returns the error or ends the process.
func (e *execution) launch(ns *netcfg.Namespace, all []*attach.Attached, held heldSignals) error {
	if err := attach.Attach(ns, all, nil); err != nil {
		return err
	}
	if err := errors.Join(e.become(all, held), attach.Detach(ns, all)); err != nil {
		return err
	}
	return held.end()
}

// become executes the program, with descriptors 0 to 2 of this process and the queues as 3, 4, ... It returns nil if a
// held signal has arrived, and otherwise only on failure, with a [*cause.Error]. Then nothing but the devices' carrier
// has changed, and the process must end.
func (e *execution) become(all []*attach.Attached, held heldSignals) error {
	e.run <- func() error { return e.execute(all, held) }
	return <-e.ended
}

func (e *execution) execute(all []*attach.Attached, held heldSignals) error {
	var devices []string
	for _, a := range all {
		devices = append(devices, slices.Repeat([]string{a.Name}, len(a.Queues))...)
	}
	env := append(listenEnvironment(os.Environ(), devices), "LISTEN_PID="+strconv.Itoa(os.Getpid()))
	if err := unix.Unshare(unix.CLONE_FILES); err != nil {
		return &cause.Error{What: "hand the queues over", Err: err}
	}
	err := handOver(all)
	if err == nil && held.release() {
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

// findProgram searches for a program as execvp(3) does, among the files that the thread may execute.
func findProgram(name string) (string, error) {
	if strings.Contains(name, "/") {
		return name, explainExec(name, name, executable(name))
	}
	denied, closed, why := "", []string{}, error(nil)
	for _, dir := range filepath.SplitList(cmp.Or(os.Getenv("PATH"), searchPath)) {
		path := cmp.Or(dir, ".") + "/" + name
		switch err := executable(path); {
		case err == nil:
			return path, nil
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		case errors.Is(err, unix.EACCES) && !visible(path):
			closed = append(closed, words.Escape(dir))
		case errors.Is(err, unix.EACCES), errors.Is(err, unix.EISDIR): // another directory may have an executable one
			denied, why = cmp.Or(denied, path), cmp.Or(why, err)
		default:
			return "", explainExec(name, path, err)
		}
	}
	if denied != "" {
		return "", explainExec(denied, denied, why)
	}
	if len(closed) > 0 {
		return "", &cause.Error{What: words.Escape(name), Cause: cause.NotExecutable, Err: unix.EACCES,
			Detail: "not found, and PATH has directories that may not be searched: " + strings.Join(closed, ", ")}
	}
	return "", explainExec(name, name, unix.ENOENT)
}

// visible reports whether a file exists in a directory that the thread may search.
func visible(path string) bool {
	var st unix.Stat_t
	return unix.Stat(path, &st) == nil
}

// executable returns why the thread may not execute a file, or nil.
func executable(path string) error {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return unix.EISDIR
	case unix.S_IFREG:
	default:
		return unix.EACCES
	}
	return unix.Faccessat(unix.AT_FDCWD, path, unix.X_OK, unix.AT_EACCESS)
}

// explainExec returns why a program cannot be executed, or nil if err is nil.
func explainExec(program, path string, err error) error {
	if err == nil {
		return nil
	}
	e := &cause.Error{What: words.Escape(program), Cause: cause.NotExecutable, Err: err}
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) {
		e.Cause = cause.NoProgram
		if visible(path) && strings.Contains(path, "/") {
			e.Detail = "its interpreter or its loader is missing"
		}
	}
	return e
}

// listenEnvironment returns an environment with the variables of sd_listen_fds(3) for queues of these devices, except
// LISTEN_PID, and without such variables of this program.
func listenEnvironment(env, devices []string) (to []string) {
	for _, v := range env {
		switch name, _, _ := strings.Cut(v, "="); name {
		case "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES":
		default:
			to = append(to, v)
		}
	}
	return append(to, "LISTEN_FDS="+strconv.Itoa(len(devices)), "LISTEN_FDNAMES="+strings.Join(devices, ":"))
}
