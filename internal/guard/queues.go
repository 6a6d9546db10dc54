package guard

import (
	"encoding/binary"
	"errors"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/poll"
)

// holding is the argument of a guardian of queues. It is not hexadecimal, so it is never a netlink request.
const holding = "queues"

// restoreMost is the time that a guardian may take to restore the devices. It takes less than a millisecond.
const restoreMost = time.Second

// A Queue is an attached queue, and what its device gets back. The kernel keeps both settings after the program ends,
// also if the next program sets none.
type Queue struct {
	FD      int
	Header  int  // length of the virtio header in bytes
	Offload uint // the bits of TUNSETOFFLOAD
}

// queueSize is the length of a Queue in the message to the guardian, in bytes: the header, and the offload.
const queueSize = 4 + 4

// A Guardian restores the devices of queues. A nil Guardian is none.
type Guardian struct{ pid, pidfd, socket int }

// Hold starts a guardian that restores the devices of queues when this process ends, even by SIGKILL, or releases it.
//
// The guardian keeps the queues attached until then, so that no other program can attach before the devices are
// restored. The queues wait in its socket, in a message that it has not read: it has no descriptors of them, so
// searches for the programs that use a device do not find it. To restore a device requires no privilege.
func Hold(queues []Queue) (*Guardian, error) {
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(ends[1])
	g := &Guardian{socket: ends[0], pidfd: -1}
	message, descriptors := make([]byte, 0, len(queues)*queueSize), make([]int, len(queues))
	for i, q := range queues {
		message = binary.NativeEndian.AppendUint32(message, uint32(q.Header))
		message = binary.NativeEndian.AppendUint32(message, uint32(q.Offload))
		descriptors[i] = q.FD
	}
	if err = unix.Sendmsg(ends[0], message, unix.UnixRights(descriptors...), nil, 0); err == nil {
		g.pid, err = start(holding, &syscall.SysProcAttr{PidFD: &g.pidfd}, ends[1], ends[1])
	}
	if err != nil {
		unix.Close(ends[0])
		return nil, err
	}
	return g, nil
}

// Release lets the guardian restore the devices, which stay attached until then, and waits for it. A guardian that does
// not end is killed.
func (g *Guardian) Release() {
	if g == nil {
		return
	}
	unix.Close(g.socket)
	if g.pidfd >= 0 {
		poll.Input(g.pidfd, time.Now().Add(poll.Patient(restoreMost)))
		unix.Close(g.pidfd)
	}
	end(g.pid)
}

// watchQueues waits until the other end of the socket, its standard input, is closed. Then it takes the queues from the
// message, restores their devices and closes them.
func watchQueues() error {
	for ended := []unix.PollFd{{}}; ended[0].Revents&unix.POLLHUP == 0; {
		if _, err := unix.Poll(ended, -1); err != nil && err != unix.EINTR {
			return err
		}
	}
	const mostQueues = 253 // SCM_MAX_FD
	message, rights := make([]byte, mostQueues*queueSize), make([]byte, unix.CmsgSpace(mostQueues*4))
	n, rightsN, _, _, err := unix.Recvmsg(0, message, rights, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return err
	}
	parts, err := unix.ParseSocketControlMessage(rights[:rightsN])
	if err != nil || len(parts) != 1 {
		return errors.Join(err, unix.EBADMSG)
	}
	queues, err := unix.ParseUnixRights(&parts[0])
	if err != nil || len(queues)*queueSize != n {
		return errors.Join(err, unix.EBADMSG)
	}
	for i, fd := range queues {
		q := message[i*queueSize:]
		offload := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, int(binary.NativeEndian.Uint32(q[4:])))
		header := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, int(binary.NativeEndian.Uint32(q)))
		err = errors.Join(err, offload, header, unix.Close(fd))
	}
	return err
}
