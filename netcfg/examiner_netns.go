package netcfg

import (
	"golang.org/x/sys/unix"
)

// prove finds out which of the files are of devices in this network namespace, and says whether it came to the end. Where the kernel counts as
// many queues as there are files of that name, all are. Else there is another device of that name elsewhere, or a process that
// another one shares the queue with, and the descriptors themselves have to be asked, which takes CAP_NET_ADMIN.
func (x *examiner) prove(may bool) bool {
	files := map[string]int{}
	for _, s := range x.suspects {
		for _, f := range s.files {
			files[f.device]++
		}
	}
	here := namespaceOf("/proc/thread-self/ns/net")
	for _, s := range x.suspects {
		for _, f := range s.files {
			switch {
			case x.queues[f.device] == 0 || x.hidden == 0 && files[f.device] == x.queues[f.device]:
			case !may:
				f.unproven = true
			case x.late():
				return false
			default:
				x.ask(s.PID, f, here)
			}
		}
		x.tell(s, false)
	}
	return true
}

// ask looks up the namespace of the device of another process' descriptor. It holds the queue for a moment, and may block for ever.
func (x *examiner) ask(pid int, f *queueFile, here uint64) {
	switch there, err := deviceNamespace(pid, f.descriptor); err {
	case nil:
		f.elsewhere = there != here
	case unix.ESRCH, unix.EBADF, unix.EBADFD, unix.ENOTTY: // it has ended, closed the file, detached, or put another file there
		f.elsewhere = true
		x.gone++
	default:
		f.unproven = true
	}
}

// deviceNamespace is the inode of the network namespace of the device that another process' descriptor is attached to. It takes the right to
// trace the process, and CAP_NET_ADMIN.
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
