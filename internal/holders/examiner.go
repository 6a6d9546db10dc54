package holders

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

	"github.com/tunadm/tunadm/internal/files"
)

// Examiner is the first word of the command line of an examiner: [Search.Find] runs the program once more under this
// name, which then calls [Examine].
const Examiner = "tunadm-holders"

// The lines that an examiner writes. The first has the PID, UID, descriptors, claims among them, probable, device and
// command of a process. The last has the numbers of processes that could not be looked at, and of those that ended or
// detached during the search.
const (
	processLine = "%d %d %d %d %t %q %q\n"
	endLine     = "end %d %d\n"
)

const (
	// Major and Minor are the device number of the driver.
	Major = 10
	Minor = 200

	// ClaimMark is the open flag that tells a descriptor of this program from an attachment. The driver ignores it, and
	// the kernel shows it in /proc/PID/fdinfo.
	ClaimMark = unix.O_APPEND

	// examineFirst is the number of descriptors of each process that are looked at before the rest of any process. So a
	// process with very many descriptors hides no other process.
	examineFirst = 256
)

// A queueFile is an open file of the driver.
type queueFile struct {
	descriptor  int
	device      string // "": not attached
	claim       bool
	descriptors int // of this process for the same file

	elsewhere bool // the device is in another network namespace, or the descriptor has been closed
	unproven  bool // the namespace of the device could not be looked up
}

// A suspect is a process that has the driver open.
type suspect struct {
	Process
	files     []*queueFile
	forbidden bool // this user may not look at it
}

type examiner struct {
	out          io.Writer
	end          time.Time
	queues       map[string]int // as the kernel counts them, by device
	suspects     []*suspect
	hidden, gone int // processes; see endLine
}

// Examine writes the processes that hold queues, as [Search.Find] reads them. The words are the PID of the process to
// leave out, the duration of the search, the capabilities to keep, and each device with the number of its queues. The
// error is that of a command line that no Find wrote, or of capset(2).
func Examine(words []string, out io.Writer) error {
	if len(words) < 3 {
		return errors.New("no examiner is started by hand")
	}
	_ = os.WriteFile("/proc/self/comm", []byte(Examiner), 0) // other examiners leave this process out
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
	if !may(unix.CAP_SYS_PTRACE) { // /proc may hide processes
		x.hidden++
	}
	if x.prove(may(unix.CAP_NET_ADMIN)) {
		fmt.Fprintf(x.out, endLine, x.hidden, x.gone)
	}
	return nil
}

func (x *examiner) late() bool { return !time.Now().Before(x.end) }

// searchAll looks at the descriptors of all processes, and reports whether it came to the end.
func (x *examiner) searchAll(asker int) bool {
	var more []int
	for _, entry := range files.Names("/proc") {
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

// search looks at count descriptors of a process, after the first from, and writes the findings. It returns the number
// of descriptors that it looked at.
func (x *examiner) search(pid, from, count int) (n int) {
	dir := "/proc/" + strconv.Itoa(pid)
	// Only the user of the process may read the directory (mode 0500, which CAP_DAC_READ_SEARCH overrides). From Linux
	// 5.14 on, fdinfo requires only the right to trace the process. It has no device numbers.
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
		x.write(s, true)
	}
	return n
}

// suspect returns the process as the previous search left it, or a new one.
func (x *examiner) suspect(pid int) *suspect {
	for _, s := range x.suspects {
		if s.PID == pid {
			return s
		}
	}
	return &suspect{Process: Process{PID: pid}}
}

// look records a descriptor of the driver.
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
		// The node may have any path, so its number counts. DONT_SYNC: a file on a dead server need not answer.
		var st unix.Statx_t
		err := unix.Statx(int(list.Fd()), entry, unix.AT_STATX_DONT_SYNC, unix.STATX_TYPE, &st)
		s.forbidden = s.forbidden || err == unix.EACCES
		if err != nil || st.Rdev_major != Major || st.Rdev_minor != Minor || st.Mode&unix.S_IFMT != unix.S_IFCHR {
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

// sameFile reports whether two descriptors of a process are duplicates. It requires the right to trace the process.
func sameFile(pid, one, other int) bool {
	const kcmpFile = 0
	id := uintptr(pid)
	order, _, errno := unix.Syscall6(unix.SYS_KCMP, id, id, kcmpFile, uintptr(one), uintptr(other), 0)
	return errno == 0 && order == 0
}

// describe reads what the kernel reports of a descriptor, nil if it is not one of the driver. The name of the device
// does not tell its namespace.
func describe(pid, fd int) (f *queueFile, err error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
	claim := false
	for line := range bytes.Lines(b) {
		if name, ok := bytes.CutPrefix(line, []byte("iff:\t")); ok {
			f = &queueFile{descriptor: fd, device: string(bytes.TrimRight(name, "\n")), claim: claim, descriptors: 1}
		} else if flags, ok := bytes.CutPrefix(line, []byte("flags:\t")); ok { // always before
			bits, _ := strconv.ParseUint(string(bytes.TrimSpace(flags)), 8, 32)
			claim = bits&ClaimMark != 0
		}
	}
	return f, err
}

// identify records a process that may hold one of the devices, with its command and UID, and reports whether it did. A
// process that has ended holds nothing.
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
		fields := strings.Fields(string(line))
		if len(fields) >= 3 && fields[0] == "Uid:" && err == nil && statusErr == nil {
			n, _ := strconv.ParseUint(fields[2], 10, 32)
			s.Command, s.UID = string(bytes.TrimSuffix(comm, []byte("\n"))), uint32(n)
			if s.Command == Examiner && sameProgram(dir) {
				return false // an examiner that has borrowed a descriptor
			}
			x.suspects = append(x.suspects, s)
			return true
		}
	}
	x.gone++
	return false
}

// sameProgram reports whether a process runs this program.
func sameProgram(dir string) bool {
	theirs, err := os.Readlink(dir + "/exe")
	ours, ourErr := os.Readlink("/proc/self/exe")
	return err == nil && ourErr == nil && theirs == ours
}

// write writes the queues that the process holds now.
func (x *examiner) write(s *suspect, probable bool) {
	held := map[string]Process{}
	for _, f := range s.files {
		if x.queues[f.device] == 0 {
			continue
		}
		p, known := held[f.device]
		if !known {
			p = s.Process
		}
		if !f.elsewhere {
			p.Queues += f.descriptors
		}
		if f.claim {
			p.Claims = p.Queues
		}
		p.Probable = p.Probable || probable || f.unproven
		held[f.device] = p
	}
	for device, p := range held {
		fmt.Fprintf(x.out, processLine, p.PID, p.UID, p.Queues, p.Claims, p.Probable, device, p.Command)
	}
}
