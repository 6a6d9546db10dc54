package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A process is what /proc/PID/stat says.
type process struct {
	state  string // R, S, D, T, t, Z ...
	parent int
	ticks  uint64 // the CPU time in ticks of 10 ms
	line   string // the command line
}

// process returns the state of a process; ok is false if it ended.
func (v *view) process(pid int) (p process, ok bool) {
	directory := "/proc/" + strconv.Itoa(pid) + "/"
	b, err := v.file(directory + "stat")
	text := string(b)
	f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if err != nil || len(f) < 13 {
		return p, false
	}
	line, _ := v.file(directory + "cmdline")
	p = process{state: f[0], line: string(line)}
	p.parent, _ = strconv.Atoi(f[1])
	for _, field := range f[11:13] { // utime and stime
		n, _ := strconv.ParseUint(field, 10, 64)
		p.ticks += n
	}
	return p, true
}

// reader finds a program that does not read its device, or not fast enough.
func reader(v *view) []Finding {
	d := v.device
	if !v.asked() || !d.InUse() || !d.Up || !d.Carrier || d.TxQueueLen == 0 {
		return nil
	}
	if found := v.stopped(); found != nil {
		return found
	}
	if found := v.unreadQueues(); found != nil {
		return found
	}
	if found := v.unreadPackets(); found != nil {
		return found
	}
	sent := v.host.Sent(d.Index)
	read, dropped := d.Stats.TxPackets, d.Stats.TxDropped
	if sent < read {
		return unread(v)
	}
	missing := sent - read // dropped because the queue was full, or still in the queue
	lost := min(dropped, missing-min(missing, uint64(d.TxQueueLen)))
	if read == 0 || lost*100 < sent || lost == 0 {
		return unread(v)
	}
	who := "the program reads too slowly"
	if v.host.CarrierLosses(d.Index) > 1 {
		who = "the program, or one that was attached earlier, reads too slowly or not at all"
	}
	found := one(Warning, fmt.Sprintf("the kernel dropped at least %d of %d packets sent to it while a program was "+
		"attached, which read %d", lost, sent, read),
		fmt.Sprintf("%s, so its transmit queue of %d packets overflows", who, d.TxQueueLen),
		fix.Run(fix.Tunadm("set", d.Name, "--txqueuelen", strconv.Itoa(max(1000, 4*d.TxQueueLen)))))
	found[0].Fixes[0].After = "  # helps against bursts only; until the device is deleted"
	found[0].counted = lost
	return found
}

// stopped finds that all programs that are attached are stopped.
func (v *view) stopped() []Finding {
	var pids, names []string
	for _, h := range v.device.Holders {
		p, running := v.process(h.PID)
		if !running || p.state != "T" && p.state != "t" {
			return nil
		}
		pids = append(pids, strconv.Itoa(h.PID))
		names = append(names, words.Escape(h.Command)+" (pid "+strconv.Itoa(h.PID)+", state "+p.state+")")
	}
	if len(pids) == 0 {
		return nil
	}
	means := "it reads no packet until it continues"
	if n := v.device.Stats.TxDropped; n > 0 {
		means += "; the kernel dropped " + packets(n) + " sent to the device"
	}
	found := one(Error, "the attached program is stopped: "+strings.Join(names, ", "), means,
		fix.Run(fix.ByRoot(append([]string{"kill", "-CONT"}, pids...)...)))
	found[0].counted = v.device.Stats.TxDropped
	return found
}

// companions finds different programs that are attached to one multi-queue device: each gets a part of the packets.
// Processes that share the only queue are one program: a child has the descriptors of its parent for a moment.
func companions(v *view) []Finding {
	d := v.device
	if !d.MultiQueue || len(d.Holders) < 2 || d.Queues+d.DisabledQueues < 2 || oneReads(d) {
		return nil
	}
	var names []string
	var all []process
	for _, h := range d.Holders {
		p, running := v.process(h.PID)
		if !running {
			return nil
		}
		all = append(all, p)
		names = append(names, words.Escape(h.Command)+" (pid "+strconv.Itoa(h.PID)+")")
	}
	if v.relatives(d.Holders, all) {
		return ok(fmt.Sprintf("%d processes of one program are attached", len(all)))
	}
	return one(Warning, fmt.Sprintf("%d programs are attached to this multi-queue device: %s", len(all),
		strings.Join(names, ", ")), "the kernel distributes the packets, so each program gets only a part of them",
		fix.Sentence("stop the program that is not to read the device"))
}

// oneReads reports whether one program can have all enabled queues of a device. The others then have the disabled
// queues, which get no packets, as "tunadm hold" does.
func oneReads(d *netcfg.Device) bool {
	return d.DisabledQueues > 0 &&
		slices.ContainsFunc(d.Holders, func(h netcfg.Holder) bool { return h.Queues >= d.Queues })
}

// relatives reports whether processes are workers of one program: they have one command line, and so does their parent
// unless it is one of them.
func (v *view) relatives(holders []netcfg.Holder, all []process) bool {
	attached := func(pid int) bool {
		return slices.ContainsFunc(holders, func(h netcfg.Holder) bool { return h.PID == pid })
	}
	first := func(i int) bool {
		return slices.ContainsFunc(all, func(p process) bool { return p.parent == holders[i].PID })
	}
	for i, p := range all {
		master, _ := v.process(p.parent)
		if p.line != all[0].line || !attached(p.parent) && master.line != p.line && !first(i) {
			return false
		}
	}
	return true
}
