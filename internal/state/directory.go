package state

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/poll"
)

// A Directory holds records and their locks. Only its owner can change it.
type Directory string

// Run is the directory of the program.
const Run Directory = "/run/tunadm"

// patience is the time after which a waiting run reports that it waits.
const patience = time.Second

// Lock keeps other runs of apply and teardown out until the file that it returns is closed or the process ends. It
// waits for a running one, and calls waiting once if that takes longer than a second. It creates the directory if it is
// missing. The error is a [*cause.Error].
func (d Directory) Lock(ctx context.Context, waiting func()) (*os.File, error) {
	f, err := d.lockFile("lock")
	if err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return f, d.clear("[0-9a-f]*")
	}
	locked := make(chan error, 1)
	go func() { locked <- flock(f) }()
	late := make(chan bool, 1)
	go func() {
		poll.Sleep(patience)
		late <- true
	}()
	for {
		select {
		case <-late:
			waiting()
		case <-ctx.Done():
			return nil, &cause.Error{Cause: cause.Interrupted}
		case err := <-locked:
			if err != nil {
				return nil, d.refused(err)
			}
			return f, d.clear("[0-9a-f]*")
		}
	}
}

// lockFile opens a file of the directory that flock(2) can lock. It creates both if they are missing, and refuses a
// directory in which another user could have written the records. An ordinary user never creates the program's
// directory: where everyone may write to /run, root would refuse it from then on.
func (d Directory) lockFile(name string) (*os.File, error) {
	if d == Run && os.Geteuid() != 0 {
		return nil, d.refused(&fs.PathError{Op: "open", Path: string(d), Err: fs.ErrPermission})
	}
	if err := os.Mkdir(string(d), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, d.refused(err)
	}
	f, err := files.Open(filepath.Join(string(d), name), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, d.refused(err)
	}
	err = files.CheckPrivate(string(d))
	if err == nil {
		return f, nil
	}
	f.Close()
	if untrusted := new(files.Untrusted); !errors.As(err, &untrusted) {
		return nil, d.refused(err)
	}
	return nil, &cause.Error{
		Cause: cause.NotPermitted, Detail: string(d) + " is " + err.Error(),
		Fix: fix.Sentence("find out who created or changed it, then remove it: tunadm creates it again"),
	}
}

// flock waits for the lock. Signals do not end the wait.
func flock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// clear removes the unfinished files of records whose names match a pattern. The caller holds the lock of these
// records, so a run that was killed has left them.
func (d Directory) clear(pattern string) error {
	f, err := files.Open(string(d), os.O_RDONLY, 0) // filepath.Glob starts the runtime's poller
	if err != nil {
		return d.refused(err)
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	for _, name := range names {
		if match, _ := filepath.Match(pattern+unfinished, name); !match {
			continue
		}
		if err := os.Remove(filepath.Join(string(d), name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return d.refused(err)
		}
	}
	return nil
}

// asRoot is the fix of a user who may not read or write the directory.
var asRoot = fix.Sentence("run it as root")

// refused returns the error of a record that cannot be written: nothing may be changed without it.
func (d Directory) refused(err error) error {
	how := asRoot
	if !errors.Is(err, fs.ErrPermission) || os.Geteuid() == 0 {
		how = fix.Sentence("make " + string(d) + " writable, with free space")
	}
	return &cause.Error{Cause: cause.NotPermitted, Detail: "its changes cannot be recorded", Fix: how, Err: err}
}
