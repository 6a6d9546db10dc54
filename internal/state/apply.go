package state

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// A Memory is what the runs of apply with certain operands created in a network namespace.
type Memory struct {
	store
	before map[int]string // names by index, as they were read
	now    map[int]string
	bridge map[int]*Bridge // of those that are bridges
	room   int             // the least size of the file in bytes
	same   bool            // the file holds now, and nothing else
}

// Recall returns the memory of the operands in a namespace. Operands are compared as they are. A damaged record counts
// as empty, and the warning reports it. The error is a [*cause.Error].
func (d Directory) Recall(operands []string, namespace string) (m *Memory, warning string, err error) {
	m = &Memory{store: d.open("", namespace, operands...), before: map[int]string{}, now: map[int]string{},
		bridge: map[int]*Bridge{}}
	r, err := m.read()
	if damaged := (damagedError{}); errors.As(err, &damaged) {
		return m, fmt.Sprintf("%s is damaged and was ignored: %v", m.file(), err), nil
	}
	if err != nil {
		return nil, "", err
	}
	if r == nil || r.Devices == nil {
		return m, "", nil
	}
	for _, d := range *r.Devices {
		if d.Index < 1 || d.Index > math.MaxInt32 || link.CheckName(string(d.Name)) != nil {
			warning = fmt.Sprintf("%s: device %q with index %d cannot exist and was ignored", m.file(), d.Name, d.Index)
			continue
		}
		index := int(d.Index)
		m.before[index], m.now[index] = string(d.Name), string(d.Name)
		if d.Bridge != nil {
			m.bridge[index] = d.Bridge
		}
	}
	m.same = warning == "" && len(m.bridge) == 0
	return m, warning, nil
}

// Devices returns the remembered devices: their names by index.
func (m *Memory) Devices() map[int]string { return m.before }

// Bridge returns what is remembered of the device with that index if it is a bridge, and else nil.
func (m *Memory) Bridge(index int) *Bridge { return m.bridge[index] }

// joined adds the ports of a declared bridge.
func (m *Memory) joined(index int, want *netcfg.Spec) {
	b := Bridge{Moves: want.MoveAddresses}
	if known := m.bridge[index]; known != nil {
		b = Bridge{Ports: slices.Clone(known.Ports), Moves: known.Moves || b.Moves}
	}
	for _, port := range want.Ports {
		if !slices.Contains(b.Ports, Text(port)) {
			b.Ports = append(b.Ports, Text(port))
		}
	}
	m.bridge[index] = &b
}

// Forget removes a remembered device that no longer exists.
func (m *Memory) Forget(index int) { delete(m.before, index) }

// entrySize is the largest size of a device in the record, in bytes, and portSize that of a port of a bridge.
const entrySize, portSize = 200, 100

// Reserve takes the space that the record requires if each of the devices that are to be deleted is re-created under
// another index. So the record can be written then, even if the file system is full.
func (m *Memory) Reserve(gone []netcfg.Step) error {
	m.room = 1 << 10
	for _, o := range m.Operands {
		m.room += 6 * len(o)
	}
	m.room += entrySize * (len(m.now) + len(gone))
	for _, b := range m.bridge { // each may be there twice
		m.room += 2 * portSize * len(b.Ports)
	}
	return m.save()
}

// Remember adds devices that are being created, and returns when they are written down. A device that an undo
// re-creates is added if it was remembered before: otherwise it belongs to others.
func (m *Memory) Remember(made []netcfg.Step) error {
	for _, s := range made {
		if _, ours := m.before[s.Restores()]; ours || s.Restores() == 0 {
			m.now[s.Index] = s.Device
			if known := m.bridge[s.Restores()]; known != nil {
				m.bridge[s.Index] = known
			} else if s.NewBridge() != nil {
				m.joined(s.Index, s.NewBridge())
			}
		}
	}
	return m.save()
}

// Settle writes down the devices that exist after a run: those that it created, and those that were remembered, under
// their current names. A device of others that an undo had to re-create still belongs to them.
func (m *Memory) Settle(changes []netcfg.Change, results []netcfg.Result) error {
	known := m.now
	m.now, m.room = maps.Clone(m.before), 0
	for i, r := range results {
		_, ours := m.before[r.Before]
		if r.Before != r.Index {
			delete(m.now, r.Before)
		}
		if r.Index != 0 && (r.Made || ours) {
			m.now[r.Index] = r.Name
			if want := changes[i].Want; want != nil && want.Kind == netcfg.Bridge {
				m.joined(r.Index, want)
			}
		}
		if r.Before == 0 && !r.Renamed {
			delete(m.now, changes[i].Index)
		}
	}
	if m.same && len(m.bridge) == 0 && len(m.now) > 0 && maps.Equal(m.now, known) {
		return nil
	}
	return m.save()
}

// save writes the record, or removes it if it holds nothing.
func (m *Memory) save() error {
	m.same = false // the file may have space for more, or be half written
	if len(m.now) == 0 && m.room == 0 {
		return m.remove()
	}
	all := make([]device, 0, len(m.now))
	for index, name := range m.now {
		all = append(all, device{Text(name), int64(index), m.bridge[index]})
	}
	slices.SortFunc(all, func(a, b device) int { return cmp.Compare(a.Index, b.Index) })
	m.record.Devices = &all
	return m.write(m.room)
}
