package holders

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
	descriptors int    // of this process for the same file
	device      string // "": not attached, or not known yet
	claim       bool

	elsewhere bool // the device is in another network namespace, or the descriptor has been closed
	unproven  bool // the namespace of the device could not be looked up
}

// A suspect is a process that has the driver open.
type suspect struct {
	Process
	files     []*queueFile
	described bool // the devices of the files are known
	forbidden bool // this user may not look at it
}

type examiner struct {
	out          io.Writer
	end          time.Time
	queues       map[string]int // as the kernel counts them, by device
	suspects     []*suspect     // in the order of their PIDs
	hidden, gone int            // processes; see endLine
	calm         calm
	buffer       [1 << 14]byte
}

// Examine writes the processes that hold queues, as [Search.Find] reads them. The words are the PID of the process to
// leave out, the duration of the search, the capabilities to keep, and each device with the number of its queues. The
// error is that of a command line that no Find wrote, or of capset(2).
func Examine(words []string, out io.Writer) error {
	if len(words) < 3 {
		return errors.New("no examiner is started by hand")
	}
	if f, err := files.Open("/proc/self/comm", os.O_WRONLY, 0); err == nil { // other examiners leave this process out
		_, _ = f.WriteString(Examiner)
		f.Close()
	}
	runtime.LockOSThread() // capabilities are a thread's
	asker, _ := strconv.Atoi(words[0])
	duration, _ := time.ParseDuration(words[1])
	permitted, _ := strconv.ParseUint(words[2], 16, 64)
	if err := keepCapabilities(permitted & permittedCapabilities()); err != nil {
		return err
	}
	start := time.Now() // a part that ends early leaves its time to the next one
	x := &examiner{out: out, end: start.Add(duration / 2), queues: map[string]int{}}
	for device := range slices.Chunk(words[3:], 2) {
		x.queues[device[0]], _ = strconv.Atoi(device[len(device)-1])
	}
	may := func(c int) bool { return permitted>>c&1 != 0 }
	if !may(unix.CAP_SYS_PTRACE) { // /proc may hide processes
		x.hidden++
	}
	whole := x.searchAll(asker)
	if whole && x.conclude() {
		return nil
	}
	x.end = start.Add(duration * 2 / 3)
	admin, far := may(unix.CAP_NET_ADMIN), x.takeFar()
	described := x.describeAll(0)
	if whole && described && len(far) > 0 && admin && x.prove(admin, false) {
		x.finish()
		return nil
	}
	near := len(x.suspects)
	x.suspects = append(x.suspects, far...)
	described = described && x.describeAll(near)
	x.end = start.Add(duration * 11 / 12)
	if whole && described && x.prove(admin, true) { // otherwise there is no last line
		x.finish()
	}
	return nil
}

func (x *examiner) finish() { fmt.Fprintf(x.out, endLine, x.hidden, x.gone) }

func (x *examiner) late() bool { return !time.Now().Before(x.end) }

// conclude writes the processes without a look at their files, if it is clear who holds which device, and reports
// whether it is: there are as many files of the driver as the kernel counts queues, one device or one process, and no
// process of another network namespace, which could be taken for a holder that ends at that moment. To look at a file
// keeps it open for a moment, and a program that closes its queue then cannot attach again. Only the file tells a claim
// from an attachment.
func (x *examiner) conclude() bool {
	opened, descriptors, queues := 0, 0, 0
	for _, s := range x.suspects {
		for _, f := range s.files {
			opened, descriptors = opened+1, descriptors+f.descriptors
		}
	}
	for _, n := range x.queues {
		queues += n
	}
	if x.hidden > 0 || opened != queues || descriptors != queues || len(x.queues) > 1 && len(x.suspects) > 1 {
		return false
	}
	ours := filepath.Base(program(os.Getpid())) // or another build of it
	here := thisNamespace()
	for _, s := range x.suspects {
		path := program(s.PID) // unknown while it ends
		if s.described || path == "" || filepath.Base(path) == ours || !x.identify(s) || !isNear(s, here) {
			return false
		}
	}
	for _, s := range x.suspects {
		for device, n := range x.queues {
			p := s.Process
			if p.Queues = n; len(x.queues) == 1 {
				p.Queues = len(s.files)
			}
			x.writeLine(device, p)
		}
	}
	x.finish()
	return true
}

// takeFar takes the suspects of other network namespaces away, and returns them.
func (x *examiner) takeFar() (far []*suspect) {
	here := thisNamespace()
	x.suspects = slices.DeleteFunc(x.suspects, func(s *suspect) bool {
		if isNear(s, here) {
			return false
		}
		far = append(far, s)
		return true
	})
	return far
}

// describeAll looks at the files of the suspects after the first from, writes the findings, and reports whether it came
// to the end. Only the suspects that may hold one of the devices remain.
func (x *examiner) describeAll(from int) bool {
	all := slices.Clone(x.suspects[from:])
	x.suspects = x.suspects[:from]
	for _, s := range all {
		if x.late() {
			return false
		}
		if !s.described {
			s.files = slices.DeleteFunc(s.files, func(f *queueFile) bool { return !x.describe(s, f) })
		}
		held := func(f *queueFile) bool { return x.queues[f.device] > 0 }
		if slices.ContainsFunc(s.files, held) && x.identify(s) {
			x.suspects = append(x.suspects, s)
			x.write(s, true)
		}
	}
	return true
}

// describe fills in what the kernel reports of a file, and reports whether it is still one of the driver.
func (x *examiner) describe(s *suspect, f *queueFile) bool {
	if x.late() {
		return false
	}
	now, err := x.fileOf(s.PID, f.descriptor)
	if errors.Is(err, unix.EACCES) {
		x.hidden++
	} else if now == nil {
		x.gone++
	}
	if now == nil {
		return false
	}
	f.device, f.claim = now.device, now.claim
	return true
}

// fileOf reads what the kernel reports of a descriptor, nil if it is not one of the driver. The name of the device does
// not tell its namespace.
func (x *examiner) fileOf(pid, fd int) (f *queueFile, err error) {
	x.calm.wait()
	b, err := files.Read(fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
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

// identify fills in the command and the UID of a process, and reports whether it still exists. Another examiner, which
// has borrowed a descriptor, holds nothing.
func (x *examiner) identify(s *suspect) bool {
	dir := "/proc/" + strconv.Itoa(s.PID)
	comm, err := files.Read(dir + "/comm")
	status, statusErr := files.Read(dir + "/status")
	for line := range bytes.Lines(status) {
		fields := strings.Fields(string(line))
		if len(fields) >= 3 && fields[0] == "Uid:" && err == nil && statusErr == nil {
			n, _ := strconv.ParseUint(fields[2], 10, 32)
			s.Command, s.UID = string(bytes.TrimSuffix(comm, []byte("\n"))), uint32(n)
			return s.Command != Examiner || program(s.PID) != program(os.Getpid())
		}
	}
	x.gone++
	return false
}

// program returns the path of the program that a process runs, "" if it is unknown.
func program(pid int) string {
	path, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe")
	return strings.TrimSuffix(path, " (deleted)")
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
		x.writeLine(device, p)
	}
}

func (x *examiner) writeLine(device string, p Process) {
	fmt.Fprintf(x.out, processLine, p.PID, p.UID, p.Queues, p.Claims, p.Probable, device, p.Command)
}
