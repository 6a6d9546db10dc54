package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/netcfg"
)

// A Loop is the memory of the loop of a network namespace. While it is open no other loop runs there.
type Loop struct {
	path string
	lock *os.File
	head loopRecord
}

// loopRecord is its file. What was made is the loop's own affair.
type loopRecord struct {
	Version   int             `json:"version"`
	Boot      string          `json:"boot"`
	Namespace string          `json:"namespace"`
	Made      json.RawMessage `json:"made"`
}

// OpenLoop opens the memory of a namespace, for this process alone. The error is an [*netcfg.Error]; its cause is InUse while another loop runs.
func OpenLoop(namespace string) (*Loop, error) {
	if err := os.Mkdir(Directory, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, refused(err)
	}
	if err := checkDirectory(); err != nil {
		return nil, err
	}
	hash := fnv.New128a()
	hash.Write([]byte(namespace))
	l := &Loop{path: filepath.Join(Directory, fmt.Sprintf("loop-%x", hash.Sum(nil)))}
	l.head = loopRecord{Version: version, Boot: bootID(), Namespace: namespace}
	lock, err := files.Open(l.path+".lock", os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, refused(err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, &netcfg.Error{Cause: netcfg.InUse, Detail: "another loop runs in this network namespace", Fix: netcfg.Sentence("one loop a namespace; --netns has another")}
		}
		return nil, refused(err)
	}
	l.lock = lock
	if err := clear(l.path + ".new"); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return l, nil
}

// Recall reads what a loop that did not end left, and says whether there is anything. A damaged record is an error, since what it told of is
// in the way of this host's own packets.
func (l *Loop) Recall(made any) (bool, error) {
	text, err := files.Read(l.path + ".json")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, &netcfg.Error{Cause: netcfg.NotPermitted, Detail: "what loop made is known to root alone", Fix: netcfg.Sentence("run it as root"), Err: err}
	}
	var r loopRecord
	if err = json.Unmarshal(text, &r); err == nil {
		if r.Version != version || r.Boot != l.head.Boot || r.Namespace != l.head.Namespace {
			return false, nil
		}
		err = json.Unmarshal(r.Made, made)
	}
	if err != nil {
		return false, &netcfg.Error{Detail: fmt.Sprintf("%s.json is damaged: look at ip rule, and remove the file", l.path), Err: err}
	}
	return true, nil
}

// Remember writes down what is to be undone, in one go, before it comes back.
func (l *Loop) Remember(made any) error {
	text, err := json.Marshal(made)
	if err != nil {
		return refused(err)
	}
	l.head.Made = text
	if text, err = json.Marshal(l.head); err != nil {
		return refused(err)
	}
	if err := files.Replace(l.path+".json", l.path+".new", text); err != nil {
		return refused(err)
	}
	return nil
}

// forgetRounds is how often a record is removed: one that stays would have the next loop look for what is not there.
const forgetRounds = 3

// Forget forgets it: all is undone.
func (l *Loop) Forget() (err error) {
	for range forgetRounds {
		if err = os.Remove(l.path + ".json"); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	return refused(err)
}

// Close lets the next loop run.
func (l *Loop) Close() error { return l.lock.Close() }
