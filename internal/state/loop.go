package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
)

// A Loop is the memory of the loop of a network namespace. While it is open, no other loop can run there.
type Loop struct {
	store
	lock *os.File
}

// OpenLoop opens the memory of the loop of a namespace. The error is a [*cause.Error]. Its cause is InUse if another
// loop runs there.
func (d Directory) OpenLoop(namespace string) (*Loop, error) {
	l := &Loop{store: d.open("loop-", namespace)}
	lock, err := d.lockFile(filepath.Base(l.path) + ".lock")
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &cause.Error{
				Cause: cause.InUse, Detail: "another loop runs in this network namespace",
				Fix: fix.Sentence("end that loop first, or use another namespace with --netns"),
			}
		}
		return nil, d.refused(err)
	}
	l.lock = lock
	if err := d.clear(filepath.Base(l.path)); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return l, nil
}

// Recall reads what a loop that was killed has left, and reports whether there is anything. A damaged record, or
// one of another version of the program, is an error: the rules that it lists still divert this host's packets.
func (l *Loop) Recall(made any) (bool, error) {
	r, err := l.read()
	if r != nil {
		decoder := json.NewDecoder(bytes.NewReader(r.Made))
		decoder.DisallowUnknownFields()
		if err = decoder.Decode(made); err != nil {
			err = damagedError{err}
		}
	}
	if damaged := (damagedError{}); errors.As(err, &damaged) {
		detail := l.file() + " is damaged: check the rules with ip rule, and remove the file"
		err = &cause.Error{Detail: detail, Err: damaged.error}
	}
	return r != nil && err == nil, err
}

// Remember writes the record of the changes to undo. The caller makes them after that.
func (l *Loop) Remember(made any) (err error) {
	if l.Made, err = json.Marshal(made); err != nil {
		return l.directory.refused(err)
	}
	return l.write(0)
}

// Forget removes the record after everything has been undone.
func (l *Loop) Forget() error { return l.remove() }

// Close lets another loop run.
func (l *Loop) Close() error { return l.lock.Close() }
