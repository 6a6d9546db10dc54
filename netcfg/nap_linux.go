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
func (k *Kernel) AwaitRunning(ctx context.Context, index int) error {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	running := false
	for deadline := time.Now().Add(time.Second); !running && ctx.Err() == nil && time.Now().Before(deadline); nap(time.Millisecond) {
		ask := request(unix.RTM_GETLINK, unix.NLM_F_ACK, msg)
		err := k.socket.exchange([]*nl.NetlinkRequest{ask}, 1, func(_ int, body []byte) {
			running = len(body) >= unix.SizeofIfInfomsg && u32(body[8:])&unix.IFF_RUNNING != 0
		})[0]
		if err != nil {
			return &Error{What: "look at the device", Err: err}
		}
	}
	return nil
}
