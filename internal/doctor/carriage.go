package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/evidence"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/internal/trace"
	"github.com/tunadm/tunadm/netcfg"
)

// A carriage is what the attached program reads from the device, and what its own UDP sockets send and receive, while
// doctor watches: a VPN daemon carries the one in the other.
type carriage struct {
	*view
	sockets []evidence.Socket
	links   []*netcfg.Device    // through which these packets may pass
	read    map[int]int         // the packets to the program, by their size
	written map[int]int         // those of its sockets
	in, out map[flow.Packet]int // the packets of its sockets
	at      map[flow.Packet]*netcfg.Device
	lost    *flow.Packet // one to its sockets that the firewall dropped; nil: none
	again   bool         // the firewall dropped another one like this
	quiet   bool         // the program has sent nothing through the device
	mute    bool         // or it does not answer a program of this host
	refusal *refusal     // of what the sockets sent; nil: none
	unsent  *trace.Event // a packet of the sockets that the kernel dropped; nil: none
}

// carriage watches the packets of the program's own UDP sockets if something may be wrong with them: the host has
// several addresses, the device's MTU is that of the link to other hosts, or the program sends nothing.
func (v *view) carriage(heard []*conversation) (found, trail []Finding) {
	c := &carriage{view: v, read: map[int]int{}, written: map[int]int{}, in: map[flow.Packet]int{},
		out: map[flow.Packet]int{}, at: map[flow.Packet]*netcfg.Device{}}
	if !c.carriesUDP() {
		return nil, nil
	}
	several, long := c.several(), c.long() && !c.hasConnection()
	c.quiet = v.traffic().sent == 0
	c.mute = c.quiet || slices.ContainsFunc(heard, func(t *conversation) bool {
		return !t.answered && !t.stray && v.isOwn(t.From)
	})
	if !several && !long && !c.mute {
		return nil, nil
	}
	// It watches on after a refusal: the packets of another peer may show that it is not about the daemon itself.
	c.watch(func() bool {
		answered, asked, _ := c.answers()
		return c.lost != nil && (c.again || c.out[mirror(*c.lost)] > 0) || asked.To.IsValid() ||
			c.mute && c.stuck() ||
			!c.mute && (!long || c.carriesLong()) && (!several || answered)
	})
	_, asked, answer := c.answers()
	switch {
	case c.lost != nil:
		return c.refused()
	case asked.To.IsValid(): // the other end may refuse such answers, too
		return v.complete("own-return", c.otherSource(asked, answer)), nil
	case c.mute && c.stuck():
		return c.unsendable()
	case c.mute && c.refusal != nil:
		return v.complete("own-peer", c.refusedByPeer()), nil
	case !long:
		return nil, nil
	}
	return v.complete("path-mtu", c.tooLong()), nil
}

// carriesUDP finds the UDP sockets of the attached programs, and the links to other hosts.
func (c *carriage) carriesUDP() bool {
	for _, h := range c.device.Holders {
		for _, s := range c.host.SocketsOf(h.PID) {
			if s.Protocol == unix.IPPROTO_UDP && !s.Local.Addr().IsLoopback() && !s.Remote.Addr().IsLoopback() {
				c.sockets = append(c.sockets, s)
			}
		}
	}
	if len(c.sockets) == 0 {
		return false
	}
	for _, e := range append(c.entrances(false), c.entrances(true)...) {
		if !slices.Contains(c.links, e.link) {
			c.links = append(c.links, e.link)
		}
	}
	return len(c.links) > 0
}

// several reports whether a socket may be asked at several addresses.
func (c *carriage) several() bool {
	count := map[bool]int{}
	for _, ipv6 := range []bool{false, true} {
		for index, a := range c.addressesOf(ipv6) {
			if usable(a) && !a.Local.IsLoopback() && index != c.device.Index {
				count[ipv6]++
			}
		}
	}
	return max(count[false], count[true]) > 1 && slices.ContainsFunc(c.sockets, func(s evidence.Socket) bool {
		return !s.Connected() && s.Local.Addr().IsUnspecified()
	})
}

// watch collects packets for a moment, or until there are enough.
func (c *carriage) watch(enough func() bool) {
	const longest, pause = 2 * time.Second, 10 * time.Millisecond
	inner, err := c.begin(c.device, true, nil)
	if err != nil {
		c.unheard = err.Error()
		return
	}
	defer inner.Close()
	var outer []*watch
	for _, l := range c.links {
		w, err := c.begin(l, true, nil)
		if err != nil {
			c.unheard = err.Error()
			return
		}
		defer w.Close()
		outer = append(outer, w)
	}
	begun := time.Now()
	more := func() bool {
		within := func(limit time.Duration) bool { return time.Since(begun) < poll.Patient(limit) }
		return within(longest) || within(2*longest) && (c.undecided() || c.mute && c.resolving())
	}
	for ; more() && !enough(); time.Sleep(pause) {
		inner.each(func(e trace.Event) {
			if e.Passes() && e.ToProgram && e.Protocol != 0 {
				c.read[e.Size]++
			}
		})
		for _, w := range outer {
			w.each(func(e trace.Event) { c.carry(w.device, e) })
		}
	}
}

// carry notes a packet of another link if it is one of the sockets, or a fragment, which has no ports.
func (c *carriage) carry(l *netcfg.Device, e trace.Event) {
	p := flow.Packet{From: e.From, To: e.To, Protocol: e.Protocol, FromPort: e.FromPort, ToPort: e.ToPort}
	from, to := netip.AddrPortFrom(p.From, p.FromPort), netip.AddrPortFrom(p.To, p.ToPort)
	cause := netip.AddrPortFrom(e.Cause.From, e.Cause.FromPort)
	switch {
	case e.Passes() && !e.ToProgram && c.mine(cause, e.Cause.Protocol):
		c.noteRefusal(e)
	case e.Passes() && e.ToProgram && fragment(p) && c.isOwn(p.From):
		c.written[e.Size]++
	case p.Protocol != unix.IPPROTO_UDP:
	case e.Passes() && e.ToProgram && c.mine(from, p.Protocol):
		c.note(c.out, p, l)
		c.written[e.Size]++
	case e.ToProgram && e.Reason != "" && c.mine(from, p.Protocol):
		c.unsent, c.at[p] = &e, l
	case e.ToProgram || !c.mine(to, p.Protocol):
	case e.Passes():
		c.note(c.in, p, l)
	case e.Reason == "NETFILTER_DROP" && (c.quiet || c.out[mirror(p)] > 0):
		c.again = c.again || c.lost != nil && *c.lost == p
		c.lost, c.at[p] = &p, l
	}
}

// note counts a packet of a socket. A server has many clients: the first ones are enough.
func (c *carriage) note(counts map[flow.Packet]int, p flow.Packet, l *netcfg.Device) {
	const most = 256
	if counts[p] > 0 || len(counts) < most {
		counts[p]++
		c.at[p] = l
	}
}

// fragment reports whether a packet may be a fragment of UDP, which has no ports.
func fragment(p flow.Packet) bool {
	return p.FromPort == 0 && (p.Protocol == unix.IPPROTO_UDP || p.Protocol == unix.IPPROTO_FRAGMENT)
}

// mine reports whether an address and a port are those of a UDP socket of the program.
func (c *carriage) mine(end netip.AddrPort, protocol uint8) bool {
	own := protocol == unix.IPPROTO_UDP && c.isOwn(end.Addr())
	return own && slices.ContainsFunc(c.sockets, func(s evidence.Socket) bool {
		local := s.Local.Addr()
		return s.Local.Port() == end.Port() && (local.IsUnspecified() || local == end.Addr())
	})
}

// answers reports whether the program has answered from the address that it was asked at, and otherwise returns the
// packet that asked, and the one that went back from another address.
func (c *carriage) answers() (right bool, asked, answer flow.Packet) {
	type ends struct {
		to               netip.Addr
		toPort, fromPort uint16
	}
	unasked := map[ends]flow.Packet{}
	for o := range c.out {
		if c.in[mirror(o)] == 0 {
			unasked[ends{o.To, o.ToPort, o.FromPort}] = o
		}
	}
	for p := range c.in {
		if c.out[mirror(p)] > 0 {
			right = true
		} else if o, is := unasked[ends{p.From, p.FromPort, p.ToPort}]; is {
			asked, answer = p, o
		}
	}
	return right, asked, answer
}

// mirror returns the answer to a packet.
func mirror(p flow.Packet) flow.Packet {
	p.From, p.To, p.FromPort, p.ToPort = p.To, p.From, p.ToPort, p.FromPort
	return p
}

// otherSource reports answers from another address than the one that was asked.
func (c *carriage) otherSource(asked, answer flow.Packet) []Finding {
	return one(Error, fmt.Sprintf("the attached program answers from %s what other hosts send to %s (UDP port %d)",
		answer.From, asked.To, asked.ToPort), fmt.Sprintf("the other end drops answers from an unexpected address; "+
		"seen just now: %s of %s, and %s of %s", packets(uint64(c.in[asked])), asked,
		packets(uint64(c.out[answer])), answer), fix.Sentence(fmt.Sprintf("bind the program to %s, or use its option "+
		"for hosts with several addresses, such as multihome of OpenVPN", asked.To)))
}

// refused follows a packet to a socket of the program that the firewall dropped.
func (c *carriage) refused() (found, trail []Finding) {
	p := *c.lost
	j := &journey{view: c.view, packet: p, course: carriedIn, at: c.at[p]}
	j.packet.In, j.packet.InIndex = j.at.Name, j.at.Index
	for i, s := range c.sockets {
		if s.Local.Port() == p.ToPort {
			j.socket = &c.sockets[i]
		}
	}
	if back := mirror(p); c.out[back] > 0 || j.socket.Connected() {
		j.course, j.packet = carriedOut, back
		j.packet.Mark, j.packet.Out, j.packet.OutIndex = j.socket.Mark, j.at.Name, j.at.Index
	}
	c.view.heard = &conversation{Packet: p, packets: 1, dropped: true}
	if c.again {
		c.view.heard.packets = 2
	}
	return c.travel([]*journey{j})
}
