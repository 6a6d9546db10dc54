package doctor

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/netcfg"
)

// An opener is a process of this network namespace that has the driver open.
type opener struct {
	pid     int
	devices []string // to which its files are attached; "": to none
}

// The search for files of the driver looks at so many descriptors, and asks the kernel about so many files of the
// driver, of all processes together: a user's processes can hold millions.
const (
	descriptorsMost = 1 << 18
	driverFilesMost = 1 << 14
)

// A fileSearch is the search for files of the driver in the processes.
type fileSearch struct {
	descriptors, files int             // that it may still look at
	known              map[int]ofFiles // by PID
	cut, told          bool            // it reached a limit; a finding reports it
}

// ofFiles is what was found in one process.
type ofFiles struct {
	devices []string
	err     error
}

// programsWithDriver returns the processes of this network namespace that have the driver open, and whether these are
// all: an ordinary user may not look into those of others, and the search has limits.
func (v *view) programsWithDriver() (all []opener, whole bool) {
	if v.drivers == nil {
		v.drivers, v.sight = []opener{}, true
		here := namespaceOf("/proc/thread-self")
		for _, entry := range v.names("/proc") {
			pid, err := strconv.Atoi(entry)
			if err != nil || !mayBeIn(here, pid) {
				continue
			}
			devices, err := v.search.of(pid)
			if len(devices) > 0 {
				v.drivers = append(v.drivers, opener{pid, devices})
			}
			v.sight = v.sight && (os.Geteuid() == 0 || !errors.Is(err, fs.ErrPermission))
		}
	}
	return v.drivers, v.sight && !v.search.cut
}

// notSearched reports once that the search for files of the driver reached a limit.
func (v *view) notSearched() []Finding {
	s := &v.search
	if !s.cut || s.told {
		return nil
	}
	s.told = true
	return one(Unknown, fmt.Sprintf("not all programs that have the driver open were found: the search is limited to "+
		"%d descriptors, and to %d of the driver", descriptorsMost, driverFilesMost), "")
}

// mayBeIn reports whether a thread of a process may be in a network namespace.
func mayBeIn(here string, pid int) bool {
	directory := "/proc/" + strconv.Itoa(pid)
	namespace := namespaceOf(directory)
	if namespace == "" || namespace == here {
		return true
	}
	const alone = 3 // links of a directory with one subdirectory
	var st unix.Stat_t
	return unix.Stat(directory+"/task", &st) == nil && st.Nlink > alone
}

// namespaceOf returns the name of the network namespace of a process or thread, as net:[4026531840], or "" if it is not
// known. For the name alone, the kernel creates no inode.
func namespaceOf(directory string) string {
	var name [64]byte
	n, err := unix.Readlink(directory+"/ns/net", name[:])
	if err != nil {
		return ""
	}
	return string(name[:n])
}

// of returns the devices to which the files of a process are attached, "" for a file of the driver without a device. It
// looks at each process once.
func (s *fileSearch) of(pid int) (devices []string, err error) {
	known, there := s.known[pid]
	if !there {
		if s.known == nil {
			s.known = map[int]ofFiles{}
		}
		known.devices, known.err = s.look(pid)
		s.known[pid] = known
	}
	return slices.Clone(known.devices), known.err
}

// look reads the names of the open files first, so no file of another file system is asked.
func (s *fileSearch) look(pid int) (devices []string, err error) {
	if s.cut || s.descriptors == 0 {
		return nil, nil
	}
	directory := "/proc/" + strconv.Itoa(pid)
	f, err := files.Open(directory+"/fd", os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, _ := f.Readdirnames(s.descriptors)
	s.descriptors -= len(names)
	s.cut = s.descriptors == 0
	at, driver, to := int(f.Fd()), []byte("/tun"), make([]byte, unix.PathMax)
	for _, fd := range names {
		n, err := unix.Readlinkat(at, fd, to)
		if err == unix.EACCES { // so are the other ones of this process
			break
		}
		if err != nil || !bytes.HasSuffix(to[:n], driver) {
			continue
		}
		if s.files == 0 {
			s.cut = true
			break
		}
		s.files--
		info, _ := files.Read(directory + "/fdinfo/" + fd)
		for line := range strings.Lines(string(info)) {
			if device, is := strings.CutPrefix(line, "iff:"); is {
				devices = append(devices, strings.TrimSpace(device))
			}
		}
	}
	return devices, nil
}

// heldToo returns the other TUN/TAP devices to which the programs of a device are attached, in the order of their
// indexes.
func (v *view) heldToo(d *netcfg.Device) []*netcfg.Device {
	var names []string
	for _, h := range d.Holders {
		devices, _ := v.search.of(h.PID)
		names = append(names, devices...)
	}
	found := v.withPrograms(names)
	slices.SortFunc(found, func(a, b *netcfg.Device) int { return a.Index - b.Index })
	return slices.DeleteFunc(found, func(o *netcfg.Device) bool { return o.Index == d.Index })
}

// inUse returns the devices to which programs are attached, in the order of their names.
func (v *view) inUse() (found []*netcfg.Device) {
	if openers, whole := v.programsWithDriver(); whole {
		var names []string
		for _, o := range openers {
			names = append(names, o.devices...)
		}
		found = v.withPrograms(names)
	} else {
		found = slices.DeleteFunc(slices.Clone(v.every()), func(l *netcfg.Device) bool { return l.Kind != "tun" })
	}
	slices.SortFunc(found, func(a, b *netcfg.Device) int { return link.CompareNames(a.Name, b.Name) })
	return found
}

// withPrograms returns the TUN/TAP devices with these names, with their programs.
func (v *view) withPrograms(names []string) []*netcfg.Device {
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
	if len(names) == 0 {
		return nil
	}
	found, err := v.namespace.Devices(names...)
	if err != nil {
		v.fail(err)
	}
	return slices.DeleteFunc(found, func(d *netcfg.Device) bool { return d == nil || d.Kind != "tun" })
}
