package holders

import (
	"fmt"
	"maps"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
)

// prove finds out which files belong to devices in this network namespace, and reports whether it came to the end. If
// the kernel counts as many queues as there are files of a device's name, those of this namespace's processes do: a
// process of another one may have a device of that name, and be counted for a program that has just detached. If the
// numbers differ, another namespace has a device of that name, or two processes share a queue. Then the descriptors
// themselves tell, which requires CAP_NET_ADMIN. They also tell before the processes of other namespaces are looked at,
// and then prove that nobody needs to look at these: as many files as queues belong to this namespace.
func (x *examiner) prove(may, all bool) bool {
	count := map[string]int{}
	for _, s := range x.suspects {
		for _, f := range s.files {
			if x.queues[f.device] > 0 {
				count[f.device]++
			}
		}
	}
	if !all && !maps.Equal(count, x.queues) {
		return false
	}
	here, proven := thisNamespace(), map[string]int{}
	for _, s := range x.suspects {
		near := all && x.hidden == 0 && isNear(s, here)
		for _, f := range s.files {
			switch {
			case x.queues[f.device] == 0 || near && count[f.device] == x.queues[f.device]:
			case !may:
				f.unproven = true
			case x.late():
				return false
			default:
				x.ask(s.PID, f, here)
			}
			if x.queues[f.device] > 0 && !f.unproven && !f.elsewhere {
				proven[f.device]++
			}
		}
		x.write(s, false)
	}
	return all || maps.Equal(proven, x.queues)
}

func thisNamespace() uint64 { return files.Inode("/proc/thread-self/ns/net") }

// isNear reports whether a process is in this network namespace.
func isNear(s *suspect, here uint64) bool {
	return files.Inode(fmt.Sprintf("/proc/%d/ns/net", s.PID)) == here
}

// ask looks up the namespace of the device of another process's descriptor. It holds the queue for a moment, and may
// block forever.
func (x *examiner) ask(pid int, f *queueFile, here uint64) {
	x.calm.wait()
	switch there, err := deviceNamespace(pid, f.descriptor); err {
	case nil:
		f.elsewhere = there != here
	case unix.ESRCH, unix.EBADF, unix.EBADFD, unix.ENOTTY: // the process ended, detached, closed or replaced the file
		f.elsewhere = true
		x.gone++
	default:
		f.unproven = true
	}
}

// deviceNamespace returns the inode of the network namespace of the device that another process's descriptor is
// attached to. It requires the right to trace the process, and CAP_NET_ADMIN.
func deviceNamespace(pid, fd int) (inode uint64, err error) {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(pidfd)
	theirs, err := unix.PidfdGetfd(pidfd, fd, 0)
	if err != nil {
		return 0, err
	}
	if !isDriver(theirs) {
		// Another file has the number now. Closing it may block forever, so the end of the process closes it.
		return 0, unix.EBADF
	}
	defer unix.Close(theirs)
	ns, err := unix.IoctlRetInt(theirs, unix.TUNGETDEVNETNS)
	if err != nil {
		return 0, err
	}
	defer unix.Close(ns)
	var st unix.Stat_t
	err = unix.Fstat(ns, &st)
	return st.Ino, err
}

// isDriver reports whether an open file is one of the driver. It asks nothing of the file.
func isDriver(fd int) bool {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_STATX_DONT_SYNC, 0, &st)
	return err == nil && queueNode(&st)
}
