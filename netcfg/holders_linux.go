package netcfg

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The driver's device number.
const (
	tunMajor = 10
	tunMinor = 200
)

// findHolders fills in the programs that are attached, this one apart, in one pass over /proc, and in none if nobody is.
func (k *Kernel) findHolders(devices []*Device) {
	byName := map[string]*Device{}
	for _, d := range devices {
		if d.Kind == "tun" && d.InUse() {
			byName[d.Name] = d
		}
	}
	if len(byName) == 0 {
		return
	}
	here := namespaceOf("/proc/thread-self/ns/net")
	for _, entry := range directory("/proc") {
		if pid, err := strconv.Atoi(entry); err == nil && pid != os.Getpid() {
			findHeld(pid, here, byName)
		}
	}
}

// findHeld adds the process to the holders of each device that it has open.
func findHeld(pid int, here uint64, byName map[string]*Device) {
	dir := "/proc/" + strconv.Itoa(pid)
	for _, entry := range driverDescriptors(dir) {
		d := byName[attachedTo(dir+"/fdinfo/"+entry)]
		if d == nil {
			continue
		}
		there, exact := deviceNamespace(pid, entry)
		if exact && there != here {
			continue
		}
		i := slices.IndexFunc(d.Holders, func(h Holder) bool { return h.PID == pid })
		if i < 0 {
			d.Holders = append(d.Holders, Holder{PID: pid, Command: command(dir), User: ID{Number: effectiveUser(dir)}})
			i = len(d.Holders) - 1
		}
		d.Holders[i].Queues++
		d.Holders[i].Probable = !exact
	}
}

// driverDescriptors are the numbers of a process' descriptors that may be of the driver. /proc/PID/fd is its user's alone (mode 0500, which
// CAP_DAC_READ_SEARCH overrides); /proc/PID/fdinfo takes only the right to trace the process, from Linux 5.14 on, and tells no device number.
func driverDescriptors(dir string) []string {
	fds, err := os.Open(dir + "/fd")
	if err != nil {
		return directory(dir + "/fdinfo")
	}
	defer fds.Close()
	entries, _ := fds.Readdirnames(-1)
	return slices.DeleteFunc(entries, func(entry string) bool {
		// The node may stand at any path, so its number is looked at. DONT_SYNC: a file on a dead server must not hang us.
		var st unix.Statx_t
		err := unix.Statx(int(fds.Fd()), entry, unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st)
		return err != nil || st.Rdev_major != tunMajor || st.Rdev_minor != tunMinor || st.Mode&unix.S_IFMT != unix.S_IFCHR
	})
}

// attachedTo is the name of the device that a descriptor of the driver is attached to, or "". The name alone does not
// say in which namespace.
func attachedTo(fdinfo string) string {
	b, err := os.ReadFile(fdinfo)
	if err != nil {
		return ""
	}
	for line := range bytes.Lines(b) {
		if name, ok := bytes.CutPrefix(line, []byte("iff:\t")); ok {
			return string(bytes.TrimRight(name, "\n"))
		}
	}
	return ""
}

// deviceNamespace is the inode of the namespace of the device that another process' descriptor is attached to. It takes the
// right to trace the process, and CAP_NET_ADMIN; without them it is not exact.
func deviceNamespace(pid int, fd string) (inode uint64, exact bool) {
	number, err := strconv.Atoi(fd)
	if err != nil {
		return 0, false
	}
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(pidfd)
	theirs, err := unix.PidfdGetfd(pidfd, number, 0)
	if err != nil {
		return 0, false
	}
	defer unix.Close(theirs)
	ns, err := unix.IoctlRetInt(theirs, unix.TUNGETDEVNETNS)
	if err != nil {
		return 0, false
	}
	defer unix.Close(ns)
	var st unix.Stat_t
	if err := unix.Fstat(ns, &st); err != nil {
		return 0, false
	}
	return st.Ino, true
}

func namespaceOf(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Ino
}

// effectiveUser reads the second number of the Uid line of /proc/PID/status.
func effectiveUser(dir string) uint32 {
	b, _ := os.ReadFile(dir + "/status")
	for line := range bytes.Lines(b) {
		if fields := strings.Fields(string(line)); len(fields) >= 3 && fields[0] == "Uid:" {
			n, _ := strconv.ParseUint(fields[2], 10, 32)
			return uint32(n)
		}
	}
	return 0
}

func command(dir string) string {
	b, _ := os.ReadFile(dir + "/comm")
	return strings.TrimSuffix(string(b), "\n")
}

func directory(path string) []string {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return names
}
