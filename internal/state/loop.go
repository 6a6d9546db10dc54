package state

import (
	"bytes"
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

// A Loop is the record of the loop of a network namespace. While it is open no other loop runs there.
type Loop struct {
	path string
	lock *os.File
	head loopRecord
}

// loopRecord is the file. The package loop defines what Made holds.
type loopRecord struct {
	Version   int             `json:"version"`
	Boot      string          `json:"boot"`
	Namespace string          `json:"namespace"`
	Made      json.RawMessage `json:"made"`
}

// OpenLoop opens the record of a namespace, for this process alone. The error is a [*netcfg.Error]; its cause is InUse
// while another loop runs.
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
			fix := netcfg.Sentence("run it in another namespace with --netns: each has one loop at most")
			return nil, &netcfg.Error{Cause: netcfg.InUse, Detail: "another loop runs in this network namespace", Fix: fix}
		}
		return nil, refused(err)
	}
	l.lock = lock
	if err := clear(l.path + ".new"); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return l, nil
}

// Recall reads the record of a loop that was killed, and reports whether there is one. A damaged record, or one of
// another version of the program, is an error: the rules that it lists still divert this host's packets.
func (l *Loop) Recall(made any) (bool, error) {
	text, err := files.Read(l.path + ".json")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, &netcfg.Error{
			Cause: netcfg.NotPermitted, Detail: "only root may read the record of a loop",
			Fix: netcfg.Sentence("run it as root"), Err: err,
		}
	}
	var r loopRecord
	if err = json.Unmarshal(text, &r); err == nil {
		if r.Version != version || r.Boot != l.head.Boot || r.Namespace != l.head.Namespace {
			return false, nil
		}
		decoder := json.NewDecoder(bytes.NewReader(r.Made))
		decoder.DisallowUnknownFields()
		err = decoder.Decode(made)
	}
	if err != nil {
		detail := fmt.Sprintf("%s.json is damaged: check the rules with ip rule, and remove the file", l.path)
		return false, &netcfg.Error{Detail: detail, Err: err}
	}
	return true, nil
}

// Remember replaces the record by one of what is to be undone.
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

// forgetRounds is how often Forget tries to remove a record: the next loop would try to undo one that stays.
const forgetRounds = 3

// Forget removes the record: everything is undone.
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
