package netcfg

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Examiner is the first word of the command line of an examiner, as which the program runs itself once more to look for the programs that
// are attached. See runExaminer.
const Examiner = "tunadm-holders"

// The lines that an examiner writes: PID, user, descriptors, claims among them, probable, device and command of a holder, and at the end the
// numbers of processes that could not be looked into, and of those that ended or detached meanwhile.
const (
	holderLine = "%d %d %d %d %t %q %q\n"
	endLine    = "end %d %d\n"
)

const (
	// The driver's device number.
	tunMajor = 10
	tunMinor = 200

	// claimMark is the open flag by which a descriptor that this program opened to look or to change is told from an attachment. The
	// driver ignores it, and the kernel tells it in /proc/PID/fdinfo.
	claimMark = unix.O_APPEND

	// examineFirst is how many descriptors of each process are looked at before the rest of any: who has very many hides nobody else.
	examineFirst = 256
)

// A queueFile is an open file of the driver.
type queueFile struct {
	descriptor  int
	device      string // "": not attached
	claim       bool
	descriptors int // of this process for the same file

	elsewhere bool // the device is in another network namespace, or the descriptor is closed by now
	unproven  bool // in which could not be looked up
}

// A suspect is a process that has the driver open.
type suspect struct {
	Holder
	files     []*queueFile
	forbidden bool // this user may not look into it
}

type examiner struct {
	out          io.Writer
	end          time.Time
	queues       map[string]int // that the kernel counts, by device
	suspects     []*suspect
	hidden, gone int
}

// Examine writes the holders of devices. The words are the PID of the process that is left out, how long to look, the capabilities to look with,
// and each device with the number of its queues.
func Examine(words []string, out io.Writer) error {
	if len(words) < 3 {
		return errors.New("no examiner is started by hand")
	}
	_ = os.WriteFile("/proc/self/comm", []byte(Examiner), 0) // other examiners leave it out
	runtime.LockOSThread()                                   // capabilities are a thread's
	asker, _ := strconv.Atoi(words[0])
	duration, _ := time.ParseDuration(words[1])
	permitted, _ := strconv.ParseUint(words[2], 16, 64)
	if err := keepCapabilities(permitted & permittedCapabilities()); err != nil {
		return err
	}
	x := &examiner{out: out, end: time.Now().Add(duration * 2 / 3), queues: map[string]int{}}
	for device := range slices.Chunk(words[3:], 2) {
		x.queues[device[0]], _ = strconv.Atoi(device[len(device)-1])
	}
	if !x.searchAll(asker) {
		return nil // without the last line
	}
	x.end = time.Now().Add(duration / 4)
	may := func(c int) bool { return permitted>>c&1 != 0 }
	if !may(unix.CAP_SYS_PTRACE) { // /proc may leave out what is not shown
		x.hidden++
	}
	if x.prove(may(unix.CAP_NET_ADMIN)) {
		fmt.Fprintf(x.out, endLine, x.hidden, x.gone)
	}
	return nil
}

// keepCapabilities gives up all others: root has all of them again after an execve.
func keepCapabilities(permitted uint64) error {
	if permittedCapabilities()&^permitted == 0 {
		return nil // and capset(2) may be forbidden
	}
	data := [2]unix.CapUserData{{Permitted: uint32(permitted)}, {Permitted: uint32(permitted >> 32)}}
	data[0].Effective, data[1].Effective = data[0].Permitted, data[1].Permitted
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
}

func (x *examiner) late() bool { return !time.Now().Before(x.end) }

// searchAll looks at the descriptors of all processes, and says whether it came to the end.
func (x *examiner) searchAll(asker int) bool {
	var more []int
	for _, entry := range directory("/proc") {
		pid, err := strconv.Atoi(entry)
		if err != nil || pid == asker || pid == os.Getpid() {
			continue
		}
		if x.late() {
			return false
		}
		if x.search(pid, 0, examineFirst) == examineFirst {
			more = append(more, pid)
		}
	}
	for _, pid := range more {
		x.search(pid, examineFirst, 1<<30)
		if x.late() {
			return false
		}
	}
	return true
}

// search looks at a process' descriptors from one on, up to a number of them, and writes what it finds. It gives back how many it looked at.
func (x *examiner) search(pid, from, count int) (n int) {
	dir := "/proc/" + strconv.Itoa(pid)
	// The directory is its user's alone (mode 0500, which CAP_DAC_READ_SEARCH overrides). The other one takes only the right to trace the
	// process, from Linux 5.14 on, and tells no device number.
	list, err := os.Open(dir + "/fd")
	numbered := err == nil
	if !numbered {
		if list, err = os.Open(dir + "/fdinfo"); errors.Is(err, unix.EACCES) {
			x.hidden++
		}
	}
	if err != nil {
		return 0
	}
	defer list.Close()
	s := x.suspect(pid)
	for passed := 0; n < count && !x.late(); {
		entries, err := list.Readdirnames(examineFirst)
		for _, entry := range entries {
			if passed++; passed > from {
				x.look(s, list, entry, numbered)
				n++
			}
		}
		if err != nil || len(entries) == 0 {
			break
		}
	}
	if s.forbidden {
		x.hidden++
	}
	if len(s.files) > 0 && x.identify(s) {
		x.tell(s, true)
	}
	return n
}

// suspect is the process as it was left by the search before, or a new one.
func (x *examiner) suspect(pid int) *suspect {
	for _, s := range x.suspects {
		if s.PID == pid {
			return s
		}
	}
	return &suspect{Holder: Holder{PID: pid}}
}

// look takes a descriptor in, if it is one of the driver.
func (x *examiner) look(s *suspect, list *os.File, entry string, numbered bool) {
	const recent = 4
	fd, err := strconv.Atoi(entry)
	if err != nil {
		return
	}
	for _, f := range s.files[max(0, len(s.files)-recent):] { // a duplicate needs no other look
		if sameFile(s.PID, f.descriptor, fd) {
			f.descriptors++
			return
		}
	}
	if numbered {
		// The node may stand at any path, so its number is looked at. DONT_SYNC: a file on a dead server need not answer.
		var st unix.Statx_t
		err := unix.Statx(int(list.Fd()), entry, unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st)
		s.forbidden = s.forbidden || err == unix.EACCES
		if err != nil || st.Rdev_major != tunMajor || st.Rdev_minor != tunMinor || st.Mode&unix.S_IFMT != unix.S_IFCHR {
			return
		}
	}
	switch f, err := describe(s.PID, fd); {
	case errors.Is(err, unix.EACCES):
		s.forbidden = true
	case err != nil:
		x.gone++
	case f != nil:
		s.files = append(s.files, f)
	}
}

// sameFile says whether two descriptors of a process are duplicates. It takes the right to trace the process.
func sameFile(pid, one, other int) bool {
	const kcmpFile = 0
	id := uintptr(pid)
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, id, id, kcmpFile, uintptr(one), uintptr(other), 0)
	return errno == 0 && order == 0
}

// describe reads what the kernel tells of a descriptor, which is nil if it is not one of the driver. The name of its device does not say in
// which namespace that is.
func describe(pid, fd int) (f *queueFile, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
	claim := false
	for line := range bytes.Lines(b) {
		if name, ok := bytes.CutPrefix(line, []byte("iff:\t")); ok {
			f = &queueFile{descriptor: fd, device: string(bytes.TrimRight(name, "\n")), claim: claim, descriptors: 1}
		} else if flags, ok := bytes.CutPrefix(line, []byte("flags:\t")); ok { // always before
			bits, _ := strconv.ParseUint(string(bytes.TrimSpace(flags)), 8, 32)
			claim = bits&claimMark != 0
		}
	}
	return f, err
}

// identify keeps a process that may hold one of the devices, with its name and user. One that ended meanwhile holds nothing.
func (x *examiner) identify(s *suspect) bool {
	if slices.Contains(x.suspects, s) {
		return true
	}
	if !slices.ContainsFunc(s.files, func(f *queueFile) bool { return x.queues[f.device] > 0 }) {
		return false
	}
	dir := "/proc/" + strconv.Itoa(s.PID)
	comm, err := os.ReadFile(dir + "/comm")
	status, statusErr := os.ReadFile(dir + "/status")
	for line := range bytes.Lines(status) {
		if fields := strings.Fields(string(line)); len(fields) >= 3 && fields[0] == "Uid:" && err == nil && statusErr == nil {
			n, _ := strconv.ParseUint(fields[2], 10, 32)
			s.Command, s.User.Number = string(bytes.TrimSuffix(comm, []byte("\n"))), uint32(n)
			if s.Command == Examiner && sameProgram(dir) {
				return false // it borrows a descriptor
			}
			x.suspects = append(x.suspects, s)
			return true
		}
	}
	x.gone++
	return false
}

// sameProgram says whether a process is a run of this program.
func sameProgram(dir string) bool {
	theirs, err := os.Readlink(dir + "/exe")
	ours, ourErr := os.Readlink("/proc/self/exe")
	return err == nil && ourErr == nil && theirs == ours
}

// tell writes what the process holds now.
func (x *examiner) tell(s *suspect, probable bool) {
	held := map[string]Holder{}
	for _, f := range s.files {
		if x.queues[f.device] == 0 {
			continue
		}
		h, known := held[f.device]
		if !known {
			h = s.Holder
		}
		if !f.elsewhere {
			h.Queues += f.descriptors
		}
		if f.claim {
			h.claims = h.Queues
		}
		h.Probable = h.Probable || probable || f.unproven
		held[f.device] = h
	}
	for device, h := range held {
		fmt.Fprintf(x.out, holderLine, h.PID, h.User.Number, h.Queues, h.claims, h.Probable, device, h.Command)
	}
}
