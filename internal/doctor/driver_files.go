package doctor

import (
	"bytes"
	"errors"
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

// programsWithDriver returns the processes of this network namespace that have the driver open, and whether these are
// all: an ordinary user may not look into those of others.
func (v *view) programsWithDriver() (all []opener, whole bool) {
	if v.drivers == nil {
		v.drivers, v.sight = []opener{}, true
		here := files.Inode("/proc/thread-self/ns/net")
		for _, entry := range v.names("/proc") {
			pid, err := strconv.Atoi(entry)
			if err != nil || !mayBeIn(here, pid) {
				continue
			}
			devices, err := driverFiles(pid)
			if len(devices) > 0 {
				v.drivers = append(v.drivers, opener{pid, devices})
			}
			v.sight = v.sight && (os.Geteuid() == 0 || !errors.Is(err, fs.ErrPermission))
		}
	}
	return v.drivers, v.sight
}

// mayBeIn reports whether a thread of a process may be in a network namespace.
func mayBeIn(here uint64, pid int) bool {
	directory := "/proc/" + strconv.Itoa(pid)
	namespace := files.Inode(directory + "/ns/net")
	if namespace == 0 || namespace == here {
		return true
	}
	const alone = 3 // links of a directory with one subdirectory
	var st unix.Stat_t
	return unix.Stat(directory+"/task", &st) == nil && st.Nlink > alone
}

// driverFiles returns the devices to which the files of a process are attached, "" for a file of the driver without a
// device. The names of its files are read first, so no file of another file system is asked.
func driverFiles(pid int) (devices []string, err error) {
	directory := "/proc/" + strconv.Itoa(pid)
	f, err := files.Open(directory+"/fd", os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	at, driver, to := int(f.Fd()), []byte("/tun"), make([]byte, unix.PathMax)
	for _, fd := range names {
		n, err := unix.Readlinkat(at, fd, to)
		if err != nil || !bytes.HasSuffix(to[:n], driver) {
			continue
		}
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
		devices, _ := driverFiles(h.PID)
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
