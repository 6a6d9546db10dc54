package doctor

import (
	"fmt"
	"time"

	"github.com/tunadm/tunadm/internal/fix"
)

// unreadQueues finds a program that has several queues of a multi-queue device and does not read them all: packets wait
// although it has read others. The kernel selects the queue by the flow, so some connections work and others do not.
// A packet with a virtio header may be counted as several, so those tell nothing.
func (v *view) unreadQueues() []Finding {
	const few, while = 3, 100 * time.Millisecond
	d := v.device
	if !d.MultiQueue || d.Queues < 2 || d.VnetHdr || d.Stats.TxPackets == 0 || v.moving ||
		v.host.Sent(d.Index) < d.Stats.TxPackets+d.Stats.TxDropped+few {
		return nil
	}
	waited, before := v.waiting()
	time.Sleep(while)
	_, read := v.waiting()
	// Of those that waited, at least this many still do, whatever the program has read meanwhile.
	stuck := waited - min(waited, read-min(read, before))
	if stuck < few {
		return nil
	}
	found := one(Error, fmt.Sprintf("the attached program does not read all of its %d queues: of %s that wait, %d "+
		"have waited for %s, although it has read %d", d.Queues, packets(waited), stuck, while, read),
		"the kernel selects the queue by addresses and ports, so some connections get no packet: "+d.UsedBy(),
		fix.Sentence("make the program read each queue that it attaches, or attach only one"))
	found[0].counted = d.Stats.TxDropped
	return found
}

// waiting returns how many packets at least wait in the queues of the device, and how many the program has read.
func (v *view) waiting() (packets, read uint64) {
	v.host.QueuesNow(v.device.Index)
	sent := v.host.Sent(v.device.Index) // before the device: what is sent meanwhile does not count
	s, known := v.statsNow(v.device)
	if !known {
		return 0, 0
	}
	return sent - min(sent, s.TxPackets+s.TxDropped), s.TxPackets
}
