package netcfg

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
)

const (
	// examineMax is the time that the search for holders may take in all. With 1,000 processes it takes about 20 ms, and on a machine that
	// creates and deletes devices all the time some hundred, since each look takes the kernel's lock of all network devices. Who opens
	// 100,000 descriptors, or a file that blocks whoever looks at it, must not stop the administrator for longer than this.
	examineMax = 3 * time.Second

	// examineTries is how often the search is repeated while programs attach and detach.
	examineTries = 3

	// strandedMax is the number of examiners that may be left behind, each blocked by a file of somebody else.
	strandedMax = 4
)

// An examination is what an examiner found.
type examination struct {
	holders map[string][]Holder // by the name of the device
	sight   sight
	gone    int // programs that ended, or detached, while they were looked at
}

// findHolders fills in the programs that are attached, this one apart, in one pass over /proc, and in none if nobody is. Where fewer are found
// than the kernel counts, queues are counted again: programs come and go meanwhile.
func (ns *Namespace) findHolders(devices []*Device) {
	end := time.Now().Add(examineMax)
	open := slices.Clone(devices)
	for range examineTries {
		e := ns.examine(open, end)
		open = slices.DeleteFunc(open, func(d *Device) bool { return d.Kind != "tun" || !d.InUse() || d.unseen() <= 0 })
		counts := make([]int, len(open))
		for i, d := range open {
			counts[i] = d.attached()
			ns.recount(d) // the caller will meet that it is gone
		}
		moved := false
		for i, d := range open {
			moved = moved || d.attached() != counts[i]
		}
		if e.sight != sightWhole || !moved && e.gone == 0 {
			break
		}
	}
}

// recount reads again how many queues the device has, and says whether it is still there.
func (ns *Namespace) recount(d *Device) bool {
	now, err := ns.link("", d.Index)
	if err != nil || now.Kind != "tun" {
		return false
	}
	if !now.MultiQueue {
		now.Queues = ns.singleQueue(now)
	}
	d.Queues, d.DisabledQueues, d.Carrier = now.Queues, now.DisabledQueues, now.Carrier
	if !d.InUse() {
		d.Holders = nil
	}
	return true
}

// examine fills in the holders that are found until the end.
func (ns *Namespace) examine(devices []*Device, end time.Time) (e examination) {
	byName := map[string]*Device{}
	for _, d := range devices {
		if d.Kind == "tun" && d.InUse() {
			byName[d.Name] = d
		}
	}
	if len(byName) == 0 {
		return e
	}
	e = ns.runExaminer(byName, end)
	for name, d := range byName {
		d.Holders, d.sight = e.holders[name], e.sight
	}
	return e
}

// runExaminer has another process look at all others. Taking a descriptor from a process, reading what the kernel tells of one, and closing it
// each block for ever, even against SIGKILL, if its owner puts a file there whose file system does not answer. So none of that is
// done here: the examiner inherits no lock and no queue, and is left behind if it does not answer in time.
func (ns *Namespace) runExaminer(byName map[string]*Device, end time.Time) examination {
	cut := examination{sight: sightCut}
	ns.stranded = slices.DeleteFunc(ns.stranded, reaped)
	if len(ns.stranded) >= strandedMax {
		return cut
	}
	var pipe [2]int
	if unix.Pipe2(pipe[:], unix.O_CLOEXEC) != nil {
		return cut
	}
	defer unix.Close(pipe[0])
	permitted := permittedCapabilities()
	words := []string{Examiner, strconv.Itoa(os.Getpid()), time.Until(end).String(), strconv.FormatUint(permitted, 16)}
	for name, d := range byName {
		words = append(words, name, strconv.Itoa(d.attached()))
	}
	pidfd, attributes := -1, &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
	attributes.PidFD = &pidfd
	if os.Geteuid() != 0 { // root has its own again after an execve
		for c := range uintptr(64) {
			if permitted>>c&1 != 0 {
				attributes.AmbientCaps = append(attributes.AmbientCaps, c)
			}
		}
	}
	out := uintptr(pipe[1])
	pid, err := syscall.ForkExec("/proc/self/exe", words, &syscall.ProcAttr{Files: []uintptr{out, out, out}, Sys: attributes})
	unix.Close(pipe[1])
	if err != nil {
		return cut
	}
	if pidfd >= 0 {
		defer unix.Close(pidfd)
	}
	e := parseExamination(readUntil(pipe[0], end))
	if e.sight == sightCut {
		_ = unix.Kill(pid, unix.SIGKILL)
	}
	awaitInput(pidfd, end.Add(examineMax/50))
	if !reaped(pid) {
		ns.stranded = append(ns.stranded, pid)
	}
	return e
}

func reaped(pid int) bool {
	n, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
	return n == pid || err == unix.ECHILD
}

// awaitInput waits until there is something to be read, and says whether there is. No descriptor, -1, never has anything.
func awaitInput(fd int, end time.Time) bool {
	for {
		left := int((time.Until(end) + time.Millisecond - 1) / time.Millisecond)
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, max(0, left))
		if err != unix.EINTR {
			return err == nil && n > 0
		}
	}
}

// readUntil reads what is written until the end.
func readUntil(fd int, end time.Time) []byte {
	var all []byte
	buffer := make([]byte, 4096)
	for awaitInput(fd, end) {
		n, err := unix.Read(fd, buffer)
		if n <= 0 && err != unix.EINTR {
			break
		}
		all = append(all, buffer[:max(0, n)]...)
	}
	return all
}

// parseExamination reads the lines of an examiner. A later line of a process and a device replaces the earlier one; without the last line,
// the examination was cut short.
func parseExamination(lines []byte) examination {
	e := examination{holders: map[string][]Holder{}, sight: sightCut}
	for line := range bytes.Lines(lines) {
		var h Holder
		var name string
		var hidden int
		if n, _ := fmt.Sscanf(string(line), endLine, &hidden, &e.gone); n == 2 {
			e.sight = sightWhole
			if hidden > 0 {
				e.sight = sightForbidden
			}
		}
		n, _ := fmt.Sscanf(string(line), holderLine, &h.PID, &h.User.Number, &h.Queues, &h.claims, &h.Probable, &name, &h.Command)
		if n != 7 {
			continue
		}
		others := slices.DeleteFunc(e.holders[name], func(o Holder) bool { return o.PID == h.PID })
		if h.Queues > 0 {
			others = append(others, h)
		}
		e.holders[name] = others
	}
	for _, holders := range e.holders {
		slices.SortFunc(holders, func(a, b Holder) int { return a.PID - b.PID })
	}
	return e
}

func namespaceOf(path string) uint64 {
	var st unix.Stat_t
	if unix.Stat(path, &st) != nil {
		return 0
	}
	return st.Ino
}

func directory(path string) []string {
	f, err := files.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return nil
	}
	defer f.Close()
	names, _ := f.Readdirnames(-1)
	return names
}

// permittedCapabilities are those of the thread, a bit each.
func permittedCapabilities() uint64 {
	var data [2]unix.CapUserData
	if unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]) != nil {
		return 0
	}
	return uint64(data[1].Permitted)<<32 | uint64(data[0].Permitted)
}
