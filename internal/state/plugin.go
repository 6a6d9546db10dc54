package state

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/files"
)

// A Tap is what the CNI plugin remembers of a tap that it created. The first three fields identify the attachment.
type Tap struct {
	Network, Container, Name string

	Netns     string // the path of the network namespace, as it was at the creation
	Namespace string // see [netcfg.Namespace.Identity]
	Index     int
}

// taps is the prefix of the files of taps. It is none of the hexadecimal digits with which the records of apply begin.
const taps = "plugin-"

func (d Directory) tap(network, container, name string) store {
	return d.open(taps, "", network, container, name)
}

// Prepare creates the directory if it is missing, and checks that only its owner can change it. The error is a
// [*cause.Error].
func (d Directory) Prepare() error {
	lock, err := d.lockFile("lock")
	if err == nil {
		err = lock.Close()
	}
	return err
}

// RememberTap writes the record of a tap.
func (d Directory) RememberTap(t Tap) (err error) {
	s := d.tap(t.Network, t.Container, t.Name)
	if s.Made, err = json.Marshal(t); err != nil {
		return d.refused(err)
	}
	return s.write(0)
}

// RecallTap returns the record of an attachment, or nil. A damaged record, and that of another boot, count as missing.
func (d Directory) RecallTap(network, container, name string) (*Tap, error) {
	s := d.tap(network, container, name)
	r, err := s.read()
	if errors.As(err, new(damagedError)) {
		return nil, nil
	}
	if err != nil || r == nil {
		return nil, err
	}
	t := new(Tap)
	if json.Unmarshal(r.Made, t) != nil || t.Index < 1 {
		return nil, nil
	}
	return t, nil
}

// ForgetTap removes the record of an attachment, and what a killed run left of one.
func (d Directory) ForgetTap(network, container, name string) error {
	s := d.tap(network, container, name)
	err := os.Remove(s.path + unfinished)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	} else if err != nil {
		err = d.refused(err)
	}
	return errors.Join(err, s.remove())
}

// Taps returns the records of all attachments to a network. A record that cannot be read counts as missing.
func (d Directory) Taps(network string) (all []Tap, err error) {
	boot, err := bootID()
	if err != nil {
		return nil, &cause.Error{Cause: missing(err), Detail: "the boot ID cannot be read", Err: err}
	}
	for _, file := range files.Names(string(d)) {
		if !strings.HasPrefix(file, taps) || !strings.HasSuffix(file, ".json") {
			continue
		}
		text, err := files.Read(filepath.Join(string(d), file))
		var r record
		var t Tap
		if err == nil && json.Unmarshal(text, &r) == nil && r.Format == format && r.Boot == boot &&
			json.Unmarshal(r.Made, &t) == nil && t.Network == network && t.Index > 0 {
			all = append(all, t)
		}
	}
	return all, nil
}
