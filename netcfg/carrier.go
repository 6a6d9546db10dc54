package netcfg

import (
	"context"
	"time"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/poll"
)

// AwaitRunning waits, for a second at most, until the kernel has noticed that a program is attached to a device that is
// up. The kernel notices this a moment later (linkwatch), and until then it drops packets sent to the device.
func (ns *Namespace) AwaitRunning(ctx context.Context, index int) error {
	_, err := ns.await(ctx, index, true, time.Second)
	return err
}

// await waits until the kernel has noticed that a device runs, or that it no longer runs, and reports whether it has.
// The kernel notices a change within a second.
func (ns *Namespace) await(ctx context.Context, index int, wanted bool, patience time.Duration) (bool, error) {
	msg := nl.NewIfInfomsg(unix.AF_UNSPEC)
	msg.Index = int32(index)
	for deadline := time.Now().Add(patience); ; poll.Sleep(time.Millisecond) {
		running := false
		ask := rtnl.Request(unix.RTM_GETLINK, unix.NLM_F_ACK, msg)
		err := ns.socket.Do(ask, func(body []byte) {
			running = len(body) >= unix.SizeofIfInfomsg && rtnl.Uint32(body[8:])&unix.IFF_RUNNING != 0
		})
		if err != nil {
			return false, &cause.Error{What: "read the device", Err: err}
		}
		if running == wanted || ctx.Err() != nil || time.Now().After(deadline) {
			return running == wanted, nil
		}
	}
}
