// Package state keeps records of what apply and loop changed in a directory that a reboot empties. A record of apply
// holds the name and the index of each device that it created, so that teardown and apply --prune can tell them from
// the devices of others: if it is stale, missing or damaged, the worst result is a device that is left. A record of
// loop holds everything that has to be undone.
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
	"slices"
	"strings"
	"syscall"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/files"
)

// A record is the content of one file. A record of another run of the machine or another namespace counts as missing,
// and one of another format as damaged. Versions of the program that have the same format read each other's records: a
// key that they do not know is ignored, except in Made.
type record struct {
	Format    int             `json:"version"`
	Boot      string          `json:"boot"`               // the kernel's boot_id: each boot numbers devices from 1
	Namespace string          `json:"namespace"`          // see [netcfg.Namespace.Identity]
	Operands  []Text          `json:"operands,omitempty"` // of apply
	Devices   *[]device       `json:"devices,omitempty"`  // of apply
	Made      json.RawMessage `json:"made,omitempty"`     // of loop, in its own format
}

type device struct {
	Name   Text    `json:"name"`
	Index  int64   `json:"index"`
	Bridge *Bridge `json:"bridge,omitempty"`
}

// A Bridge is what is remembered of a bridge beside its name and index.
type Bridge struct {
	Ports []Text `json:"ports,omitempty"` // links of others that apply made join
	Moves bool   `json:"moves,omitempty"` // the addresses and routes of these ports moved to the bridge
}

// format is the number of the current format.
const format = 1

// A store is the file of one record. It is replaced in one step.
type store struct {
	directory Directory
	path      string // without its ending
	unknown   error  // why the boot ID cannot be read; no record then counts as missing
	record
}

// open returns the store of a record whose name begins with prefix and is unique to the namespace and the operands. It
// does not touch the directory.
func (d Directory) open(prefix, namespace string, operands ...string) store {
	hash := fnv.New128a()
	fmt.Fprint(hash, strings.Join(append([]string{namespace}, operands...), "\x00"))
	s := store{directory: d, path: filepath.Join(string(d), fmt.Sprintf("%s%x", prefix, hash.Sum(nil)))}
	s.record = record{Format: format, Namespace: namespace}
	s.Boot, s.unknown = bootID()
	for _, o := range operands {
		s.Operands = append(s.Operands, Text(o))
	}
	return s
}

// file returns the path of the file.
func (s *store) file() string { return s.path + ".json" }

// A damagedError is that of a file whose content is not a record.
type damagedError struct{ error }

// read returns the record of the file, or nil if it counts as missing. The error is a damagedError, or an
// [*cause.Error], with the cause NotPermitted if permission is missing.
func (s *store) read() (*record, error) {
	if s.unknown != nil {
		return nil, &cause.Error{Cause: missing(s.unknown), Detail: "the boot ID cannot be read", Err: s.unknown}
	}
	text, err := files.Read(s.file())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		e := &cause.Error{Cause: missing(err), Detail: "the record of earlier changes cannot be read", Err: err}
		if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
			e.Detail, e.Fix = "only root may read the record of earlier changes", asRoot
		}
		return nil, e
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, damagedError{err}
	}
	if r.Boot != s.Boot || r.Namespace != s.Namespace || !slices.Equal(r.Operands, s.Operands) {
		return nil, nil
	}
	if r.Format != s.Format {
		return nil, damagedError{fmt.Errorf("it has format %d, this version of tunadm reads %d", r.Format, s.Format)}
	}
	return &r, nil
}

// missing returns the cause of an error of the kernel: a missing permission, or none that is known.
func missing(err error) cause.Cause {
	if errors.Is(err, fs.ErrPermission) {
		return cause.NotPermitted
	}
	return cause.Unknown
}

// write replaces the file, which is to have at least that size in bytes. If there is no space for a second file, it
// overwrites the file in its reserved space. Nothing is written to a disk: the directory is in memory.
func (s *store) write(size int) error {
	text, err := json.Marshal(s.record)
	if err != nil {
		return s.directory.refused(err)
	}
	text = padded(text, size)
	err = files.Replace(s.file(), s.path+unfinished, text)
	if err != nil && s.overwrite(text) != nil {
		return s.directory.refused(err)
	}
	return nil
}

// unfinished is the ending of a file that is being written. It replaces that of the record.
const unfinished = ".new"

// padded returns the text with spaces after it up to that size, which JSON ignores.
func padded(text []byte, size int) []byte {
	return append(text, bytes.Repeat([]byte{' '}, max(0, size-len(text)))...)
}

// overwrite writes the text to the existing file if it fits. One system call writes all of it, so a SIGKILL leaves the
// old record or the new one.
func (s *store) overwrite(text []byte) error {
	f, err := files.Open(s.file(), os.O_WRONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() < int64(len(text)) {
		return syscall.ENOSPC
	}
	_, err = f.WriteAt(padded(text, int(info.Size())), 0)
	return err
}

// removeAttempts is how often the removal of a file is tried. A record that stays makes a later run look for changes
// that have been undone.
const removeAttempts = 3

// remove removes the file.
func (s *store) remove() (err error) {
	for range removeAttempts {
		if err = os.Remove(s.file()); err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	return s.directory.refused(err)
}

// bootID returns the kernel's ID of this boot; "" if /proc is not mounted.
func bootID() (string, error) {
	id, err := files.Read("/proc/sys/kernel/random/boot_id")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(id)), err
}
