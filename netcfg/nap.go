package netcfg

import (
	"context"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// nap sleeps. time.Sleep would start the runtime's poller, without whose descriptors the whole program dies.
func nap(d time.Duration) {
	left := unix.NsecToTimespec(int64(d))
	for unix.Nanosleep(&left, &left) == unix.EINTR {
	}
}

// AwaitRunning waits until the kernel has noticed that a program is attached to an up device, which it does a moment later (linkwatch). What is
// sent before that it throws away. After a second it waits no longer.
func (ns *Namespace) AwaitRunning(ctx context.Context, index int) error {
	_, err := ns.await(ctx, index, true, time.Second)
	return err
}

// await waits until the kernel has noticed that a device runs, or that it does not any more, and says whether it has. A change is noticed within a
// second.
func (ns *Namespace) await(ctx context.Context, index int, wanted bool, patience time.Duration) (bool, error) {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	for deadline := time.Now().Add(patience); ; nap(time.Millisecond) {
		running := false
		ask := request(unix.RTM_GETLINK, unix.NLM_F_ACK, msg)
		err := ns.socket.exchange([]*nl.NetlinkRequest{ask}, 1, func(_ int, body []byte) {
			running = len(body) >= unix.SizeofIfInfomsg && u32(body[8:])&unix.IFF_RUNNING != 0
		})[0]
		if err != nil {
			return false, &Error{What: "look at the device", Err: err}
		}
		if running == wanted || ctx.Err() != nil || time.Now().After(deadline) {
			return running == wanted, nil
		}
	}
}
