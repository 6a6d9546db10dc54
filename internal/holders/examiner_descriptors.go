package holders

import (
	"bytes"
	"encoding/binary"
	"errors"
	"iter"
	"os"
	"slices"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
)

// searchAll finds the processes that have the driver open, and reports whether it came to the end.
func (x *examiner) searchAll(asker int) bool {
	var pids, more []int
	for _, entry := range files.Names("/proc") {
		if pid, err := strconv.Atoi(entry); err == nil && pid != asker && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	for _, pid := range pids {
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

// search looks at count descriptors of a process, after the first from. It returns the number of descriptors that it
// looked at.
func (x *examiner) search(pid, from, count int) (n int) {
	dir := "/proc/" + strconv.Itoa(pid)
	// Only the user of the process may read the directory (mode 0500, which CAP_DAC_READ_SEARCH overrides). From Linux
	// 5.14 on, fdinfo requires only the right to trace the process. It has no device numbers.
	list, err := openDirectory(dir + "/fd")
	numbered := err == nil
	if !numbered {
		if list, err = openDirectory(dir + "/fdinfo"); err == unix.EACCES {
			x.hidden++
		}
	}
	if err != nil {
		return 0
	}
	defer unix.Close(list)
	s := x.suspect(pid)
	was := s.forbidden
	for passed := 0; n < count && !x.late(); {
		entries := x.read(list)
		if len(entries) == 0 {
			break
		}
		for name := range numbers(entries) {
			if passed++; passed > from && n < count {
				x.look(s, list, name, numbered)
				n++
			}
		}
	}
	if s.forbidden && !was {
		x.hidden++
	}
	if len(s.files) > 0 && !slices.Contains(x.suspects, s) {
		x.suspectOnce(s)
	}
	return n
}

func openDirectory(path string) (int, error) {
	return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
}

// The calls of a search are raw: between two calls, the runtime would switch threads more often than not. No goroutine
// waits for this one, so a call may block.

// read returns the next entries of a directory, none at its end.
func (x *examiner) read(list int) []byte {
	n, _, errno := unix.RawSyscall(unix.SYS_GETDENTS64, uintptr(list), uintptr(unsafe.Pointer(&x.buffer)),
		unsafe.Sizeof(x.buffer))
	if errno != 0 {
		return nil
	}
	return x.buffer[:n]
}

// numbers returns those of the entries of a directory whose names are numbers, each with its final 0.
func numbers(entries []byte) iter.Seq[[]byte] {
	const length, name = unsafe.Offsetof(unix.Dirent{}.Reclen), unsafe.Offsetof(unix.Dirent{}.Name)
	return func(yield func([]byte) bool) {
		for len(entries) > int(name) {
			n := binary.NativeEndian.Uint16(entries[length:])
			if c := entries[name]; c >= '0' && c <= '9' && !yield(entries[name:n]) {
				return
			}
			entries = entries[n:]
		}
	}
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

// look records a descriptor of the driver. Without a device number, the file itself has to tell.
func (x *examiner) look(s *suspect, list int, name []byte, numbered bool) {
	const recent = 4
	fd := 0
	for i := 0; name[i] != 0; i++ {
		fd = fd*10 + int(name[i]-'0')
	}
	for _, f := range s.files[max(0, len(s.files)-recent):] { // a duplicate needs no other look
		if sameFile(s.PID, f.descriptor, fd) {
			f.descriptors++
			return
		}
	}
	if !numbered {
		s.described = true
		f, err := x.fileOf(s.PID, fd)
		if s.forbidden = s.forbidden || errors.Is(err, unix.EACCES); f != nil {
			s.files = append(s.files, f)
		}
		return
	}
	// The node may have any path, so its number counts. A file on a dead server need not answer (DONT_SYNC). FUSE
	// refuses root any property that is asked for, so none is asked for; the kernel reports the number nevertheless.
	var st unix.Statx_t
	_, _, errno := unix.RawSyscall6(unix.SYS_STATX, uintptr(list), uintptr(unsafe.Pointer(&name[0])),
		unix.AT_STATX_DONT_SYNC, 0, uintptr(unsafe.Pointer(&st)), 0)
	if errno == unix.EACCES && !s.forbidden {
		s.forbidden = unix.Kill(s.PID, 0) != unix.ESRCH // the kernel forbids a look at a process that has ended, too
	}
	if errno == 0 && queueNode(&st) {
		s.files = append(s.files, &queueFile{descriptor: fd, descriptors: 1})
	}
}

// queueNode reports whether a file is a node of the driver.
func queueNode(st *unix.Statx_t) bool {
	return st.Rdev_major == Major && st.Rdev_minor == Minor && st.Mode&unix.S_IFMT == unix.S_IFCHR
}

// suspectOnce adds a process to the suspects. A process that is about to start a program (vfork(2)) shares the memory
// of its parent, and has copies of all descriptors until then; it is left out. Its PID may be the lower one.
func (x *examiner) suspectOnce(s *suspect) {
	const memory = 1
	at := slices.IndexFunc(x.suspects, func(o *suspect) bool { return same(o.PID, s.PID, memory, 0, 0) })
	switch {
	case at < 0:
		x.suspects = append(x.suspects, s)
	case parentOf(x.suspects[at].PID) == s.PID:
		x.suspects[at] = s
	}
}

// parentOf returns the PID of the parent of a process, or 0.
func parentOf(pid int) int {
	status, _ := files.Read("/proc/" + strconv.Itoa(pid) + "/status")
	_, after, _ := bytes.Cut(status, []byte("\nPPid:\t"))
	digits, _, _ := bytes.Cut(after, []byte("\n"))
	parent, _ := strconv.Atoi(string(digits))
	return parent
}

// sameFile reports whether two descriptors of a process are duplicates.
func sameFile(pid, one, other int) bool {
	const file = 0
	return same(pid, pid, file, one, other)
}

// same compares a resource of two processes with kcmp(2). It requires the right to trace both.
func same(pid, otherPID, kind, one, other int) bool {
	order, _, errno := unix.RawSyscall6(unix.SYS_KCMP, uintptr(pid), uintptr(otherPID), uintptr(kind), uintptr(one),
		uintptr(other), 0)
	return errno == 0 && order == 0
}
