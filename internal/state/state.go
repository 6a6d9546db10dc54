// Package state remembers which devices an apply made, so that teardown and apply --prune can tell them from other people's. What it
// remembers is no more than a name and an index, in a directory that does not outlive the machine's run: when it is stale, absent
// or damaged, the worst is that a device is left.
package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/netcfg"
)

// Directory is where the state is kept, root's alone.
const Directory = "/run/tunadm"

// record is a file of the directory.
type record struct {
	Version   int           `json:"version"`
	Boot      string        `json:"boot"`      // the kernel's boot_id: indexes and namespaces begin anew with each boot
	Namespace string        `json:"namespace"` // as [netcfg.Namespace.Identity] has it
	Operands  []netcfg.Text `json:"operands"`
	Devices   []device      `json:"devices"`
}

type device struct {
	Name  netcfg.Text `json:"name"`
	Index int         `json:"index"`
}

const version = 1

// A Memory is what the applies of some operands made in a network namespace.
type Memory struct {
	path   string
	record record
	before map[int]string // name by index, as it was read
	now    map[int]string
	room   int // bytes that the record has on the file system, at least
}

// Recall reads what is remembered of the operands, which are files or directories, in a namespace. A damaged record is
// an empty one, and the warning says so. The error is an [*netcfg.Error] with the cause NotPermitted.
func Recall(operands []string, namespace string) (m *Memory, warning string, err error) {
	if len(operands) == 0 {
		operands = declare.DefaultFiles
	}
	m = &Memory{before: map[int]string{}, now: map[int]string{}}
	m.record = record{Version: version, Boot: bootID(), Namespace: namespace}
	hash, paths := fnv.New128a(), make([]string, len(operands))
	for i, o := range operands {
		if o != declare.Stdin {
			if o, err = absolute(o); err != nil {
				return nil, "", refused(err)
			}
		}
		paths[i] = o
		m.record.Operands = append(m.record.Operands, netcfg.Text(o))
	}
	fmt.Fprintf(hash, "%s\x00%s", namespace, strings.Join(paths, "\x00"))
	m.path = filepath.Join(Directory, fmt.Sprintf("%x.json", hash.Sum(nil)))
	text, err := files.Read(m.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, "", nil
	case err != nil:
		return nil, "", &netcfg.Error{Cause: netcfg.NotPermitted, Detail: "what apply made is known to root alone", Fix: netcfg.Sentence("run it as root"), Err: err}
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return m, fmt.Sprintf("%s is damaged, and forgotten: %v", m.path, err), nil
	}
	if r.Version == version && r.Boot == m.record.Boot && r.Namespace == namespace && slices.Equal(r.Operands, m.record.Operands) {
		for _, d := range r.Devices {
			if d.Index < 1 || netcfg.CheckName(string(d.Name)) != nil {
				warning = fmt.Sprintf("%s: there can be no device %q with the index %d, and it is forgotten", m.path, d.Name, d.Index)
				continue
			}
			m.before[d.Index], m.now[d.Index] = string(d.Name), string(d.Name)
		}
	}
	return m, warning, nil
}

// absolute is the one path of a file, by whatever links its directory was come to. The file itself may be gone.
func absolute(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if directory, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(directory, filepath.Base(path))
	}
	return path, nil
}

// bootID tells one run of the machine from another; "" where it cannot be had.
func bootID() string {
	id, err := files.Read("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(id))
}

func refused(err error) error {
	fix := netcfg.Sentence("make it possible to write to " + Directory)
	if errors.Is(err, fs.ErrPermission) {
		fix = netcfg.Sentence("run it as root")
	}
	return &netcfg.Error{Cause: netcfg.NotPermitted, Detail: "what it makes cannot be remembered", Fix: fix, Err: err}
}

// Devices are the devices that are remembered: their names, by index.
func (m *Memory) Devices() map[int]string { return m.before }

// Forget drops a remembered device that no longer exists.
func (m *Memory) Forget(index int) { delete(m.before, index) }

// entrySize is the most bytes that a device takes in the record.
const entrySize = 160

// Reserve takes the room that the record needs when each of the devices that are to be deleted has another in its place. So it can be
// written when that is made, however full the file system is by then.
func (m *Memory) Reserve(gone []netcfg.Step) error {
	m.room = 1 << 10
	for _, o := range m.record.Operands {
		m.room += 6 * len(o)
	}
	m.room += entrySize * (len(m.now) + len(gone))
	return m.save()
}

// Remember takes devices in that are being made, and writes them down before it comes back. One that an undo makes anew is what it was
// before: one of these, or somebody else's.
func (m *Memory) Remember(made []netcfg.Step) error {
	for _, s := range made {
		if _, ours := m.before[s.Restores()]; ours || s.Restores() == 0 {
			m.now[s.Index] = s.Device
		}
	}
	return m.save()
}

// Settle writes down what is there after a run: what it made, and of what was remembered that which is still there, also under another
// name. A device of somebody else that the run had to make anew, when it put things back, stays somebody else's.
func (m *Memory) Settle(changes []netcfg.Change, results []netcfg.Result) error {
	m.now, m.room = maps.Clone(m.before), 0
	for i, r := range results {
		_, ours := m.before[r.Before]
		if r.Before != r.Index {
			delete(m.now, r.Before)
		}
		if r.Index != 0 && (r.Made || ours) {
			m.now[r.Index] = r.Name
		}
		if r.Before == 0 && !r.Renamed {
			delete(m.now, changes[i].Index)
		}
	}
	return m.save()
}

// save replaces the record in one go. Nothing has to reach a disk: the directory is in memory.
func (m *Memory) save() error {
	if len(m.now) == 0 && m.room == 0 {
		if err := os.Remove(m.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return refused(err)
		}
		return nil
	}
	m.record.Devices = []device{}
	for index, name := range m.now {
		m.record.Devices = append(m.record.Devices, device{netcfg.Text(name), index})
	}
	slices.SortFunc(m.record.Devices, func(a, b device) int { return a.Index - b.Index })
	text, err := json.Marshal(m.record)
	if err != nil {
		return refused(err)
	}
	text = padded(text, m.room)
	if err = files.Replace(m.path, m.path+".new", text); err != nil && m.overwrite(text) != nil {
		return refused(err)
	}
	return nil
}

// padded is the text with blanks behind it, which mean nothing in JSON.
func padded(text []byte, size int) []byte {
	return append(text, bytes.Repeat([]byte{' '}, max(0, size-len(text)))...)
}

// overwrite writes the record where it is, if it has the room. It is one call of the system, which a kill does not part.
func (m *Memory) overwrite(text []byte) error {
	f, err := files.Open(m.path, os.O_WRONLY|syscall.O_NOFOLLOW, 0)
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
