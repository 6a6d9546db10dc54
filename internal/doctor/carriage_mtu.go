package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// The bytes that carry a packet at least: the headers of IP and UDP, and that of a frame.
const (
	carries4, carries6, carriesFrame = 28, 48, 14
)

// long reports whether the largest packets of the device do not fit into one of a link to other hosts.
func (c *carriage) long() bool {
	return slices.ContainsFunc(c.links, func(l *netcfg.Device) bool { return c.device.MTU+carries6 > l.MTU })
}

// hasConnection reports whether an attached program may send what it reads over TCP, which divides large packets.
func (c *carriage) hasConnection() bool {
	return slices.ContainsFunc(c.device.Holders, func(h netcfg.Holder) bool {
		return slices.ContainsFunc(c.host.SocketsOf(h.PID), func(s evidence.Socket) bool {
			return s.Protocol == unix.IPPROTO_TCP && s.Connected() && !s.Remote.Addr().IsLoopback()
		})
	})
}

// undecided reports whether a few large packets were read, and none left: TCP repeats a lost one after seconds.
func (c *carriage) undecided() bool {
	least := c.links[0].MTU
	for _, l := range c.links {
		least = min(least, l.MTU)
	}
	n := c.count(c.read, least-carries6+1)
	return n > 0 && n < fewLong && !c.carriesLong()
}

// fewLong packets that are read, of which none leaves, are no accident.
const fewLong = 2

// carriesLong reports whether a large packet of the sockets left this host.
func (c *carriage) carriesLong() bool { return c.count(c.written, c.device.MTU*3/4) > 0 }

// count returns how many packets have at least so many bytes.
func (c *carriage) count(sizes map[int]int, least int) (n int) {
	for size, packets := range sizes {
		if size >= least {
			n += packets
		}
	}
	return n
}

// tooLong finds large packets that the program read, and did not send: with the headers of IP and UDP, they exceed the
// MTU of the path, and the kernel refuses them if the program does not allow fragments.
func (c *carriage) tooLong() []Finding {
	const room = 100 // for the headers of the usual daemons
	limit, to, out := 0, netip.Addr{}, (*netcfg.Device)(nil)
	for p := range c.out {
		way, err := c.host.Find(flow.Packet{From: p.From, To: p.To, OutIndex: c.at[p].Index})
		if out, to, limit = c.at[p], p.To, c.at[p].MTU; err == nil && way.Refusal == 0 && way.MTU != 0 {
			limit = min(limit, int(way.MTU))
		}
	}
	if out == nil {
		return nil
	}
	headers := carries4
	if to.Is6() {
		headers = carries6
	}
	if c.frames() {
		headers += carriesFrame
	}
	big := c.count(c.read, limit-headers+1)
	small, sent := c.count(c.read, 0)-big, c.count(c.written, 0)
	if big < fewLong || c.count(c.written, limit*3/4) > 0 || 2*sent >= 2*small+big {
		return nil
	}
	d := c.device
	return one(Error, fmt.Sprintf("its MTU %d is too large for the tunnel: the attached program read %s of more than "+
		"%d bytes and sent none of them to %s", d.MTU, packets(uint64(big)), limit-headers, to),
		fmt.Sprintf("with the headers of IP and UDP they exceed the MTU %d of %s, and the kernel refuses them with "+
			"\"message too long\" (EMSGSIZE); the program sent %s that are smaller", limit, words.Escape(out.Name),
			packets(uint64(sent))),
		fix.Run(fix.Tunadm("set", d.Name, "--mtu", strconv.Itoa(max(limit-room, headers)))))
}
