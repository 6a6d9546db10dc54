package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/rtnl"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// told returns events in a short form.
func told(events []Event) string {
	var words []string
	for _, e := range events {
		word := string(e.Kind)
		switch {
		case e.Holder != nil:
			word += " " + e.Holder.Command
		case e.Kind == EventAttached || e.Kind == EventDetached:
			word += " ?"
		case e.Address != nil:
			word += " +" + e.Address.String()
		case e.Removed != nil:
			word += " -" + e.Removed.String()
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// changedBy returns a device before and after a change.
func changedBy(change func(d *netcfg.Device)) (before, after *netcfg.Device) {
	before = netcfg.Fresh("tun7", link.TUN)
	before.Index, before.Addresses = 7, []netcfg.Address{address("10.0.0.1/24")}
	copied := *before
	copied.Addresses = slices.Clone(before.Addresses)
	change(&copied)
	return before, &copied
}

// joinedTo returns a device like d that has joined the master with an index.
func joinedTo(d *netcfg.Device, index int) netcfg.Device {
	port := netcfg.DeviceOf(&rtnl.Link{Master: index, Name: d.Name, Index: d.Index})
	port.Kind, port.MTU, port.TxQueueLen, port.Multicast = d.Kind, d.MTU, d.TxQueueLen, d.Multicast
	port.Addresses = d.Addresses
	return *port
}

func TestDifferencesAreReported(t *testing.T) {
	for _, c := range []struct {
		change func(d *netcfg.Device)
		want   string
	}{
		{func(*netcfg.Device) {}, ""},
		{func(d *netcfg.Device) { d.Name = "vpn0" }, "renamed"},
		{func(d *netcfg.Device) { d.Up = true }, "up"},
		{func(d *netcfg.Device) { d.Access.User = &users.ID{Number: 0} }, "owner"},
		{func(d *netcfg.Device) { d.Access.Group = &users.ID{Number: 0} }, "group"},
		{func(d *netcfg.Device) { d.MTU = 1400 }, "mtu"},
		{func(d *netcfg.Device) { d.MAC = link.MAC{2, 0, 0, 0, 0, 1} }, "mac"},
		{func(d *netcfg.Device) { d.TxQueueLen = 1 }, "txqueuelen"},
		{func(d *netcfg.Device) { d.Alias = "x" }, "alias"},
		{func(d *netcfg.Device) { *d = joinedTo(d, 3) }, "master"},
		{func(d *netcfg.Device) { d.Addresses = nil }, "address -10.0.0.1/24"},
		{func(d *netcfg.Device) { d.Addresses[0] = address("10.0.0.1/25") },
			"address -10.0.0.1/24, address +10.0.0.1/25"},
		{func(d *netcfg.Device) { d.Addresses = append(d.Addresses, address("10.0.0.1 peer 10.0.0.2")) },
			"address +10.0.0.1 peer 10.0.0.2"},
		{func(d *netcfg.Device) { d.Carrier, d.Persist, d.Stats.RxBytes, d.Queues = true, false, 5, 1 }, ""},
		{func(d *netcfg.Device) { d.Name, d.MTU, d.Up = "x", 70, true }, "renamed, mtu, up"},
	} {
		before, after := changedBy(c.change)
		if got := told(compare(before, after)); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
	before, after := changedBy(func(d *netcfg.Device) { d.Up = true })
	if got := told(compare(after, before)); got != "down" {
		t.Errorf("got %q", got)
	}
}

func TestANewDeviceIsReportedWithItsDifferences(t *testing.T) {
	_, d := changedBy(func(d *netcfg.Device) { d.MTU, d.Up, d.Access.User = 1400, true, &users.ID{} })
	if got, want := told(appeared(EventJoined, d)), "joined, owner, mtu, address +10.0.0.1/24, up"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	tap := netcfg.Fresh("tap0", link.TAP)
	tap.MAC = link.MAC{2, 0, 0, 0, 0, 1}
	if got := told(appeared(EventCreated, tap)); got != "created" {
		t.Errorf("got %q", got)
	}
}

// using returns a device with that many queues and their holders: a letter for each queue, for a program of that name.
func using(queues int, holders string) *netcfg.Device {
	d := netcfg.Fresh("tun7", link.TUN)
	d.Queues = queues
	for _, h := range holders {
		if i := slices.IndexFunc(d.Holders, func(o netcfg.Holder) bool { return o.PID == int(h) }); i >= 0 {
			d.Holders[i].Queues++
			continue
		}
		d.Holders = append(d.Holders, netcfg.Holder{PID: int(h), Command: string(h), Queues: 1})
	}
	return d
}

func TestAttachedAndDetachedProgramsAreReported(t *testing.T) {
	for _, c := range []struct {
		before, after *netcfg.Device
		want          string
	}{
		{using(0, ""), using(0, ""), ""},
		{using(0, ""), using(1, "a"), "attached a"},
		{using(1, "a"), using(1, "a"), ""},
		{using(1, "a"), using(0, ""), "detached a"},
		{using(1, "a"), using(1, "b"), "detached a, attached b"},
		{using(1, "a"), using(2, "ab"), "attached b"},
		{using(1, "a"), using(3, "aaa"), "attached a"},
		{using(3, "aaa"), using(1, "a"), "detached a"},
		{using(0, ""), using(1, ""), "attached ?"},
		{using(1, ""), using(0, ""), "detached ?"},
		{using(1, ""), using(1, "a"), ""}, // already reported, and found now
		{using(1, ""), using(2, "a"), "attached a"},
		{using(2, "a"), using(1, "a"), "detached ?"},
		{using(1, "a"), using(2, "a"), "attached ?"},
		{using(1, "ab"), using(1, "b"), "detached a"}, // a's child inherited the queue
	} {
		if got := told(attachments(c.before, c.after)); got != c.want {
			t.Errorf("%d %v to %d %v: got %q, want %q", c.before.Queues, c.before.Holders, c.after.Queues,
				c.after.Holders, got, c.want)
		}
	}
}

func TestAProgramThatIsAboutToEndIsStillThere(t *testing.T) {
	for _, c := range []struct {
		before, after *netcfg.Device
		want          int // of a's queues
	}{
		{using(1, "a"), using(1, ""), 1},
		{using(1, "a"), using(0, ""), 0},
		{using(1, "a"), using(1, "b"), 0},
		{using(2, "aa"), using(2, "b"), 1},
	} {
		keepHolders(c.before, c.after)
		if got := heldBy(c.after, 'a'); got != c.want {
			t.Errorf("%v: a has %d queues, want %d", c.after.Holders, got, c.want)
		}
	}
}

// TestDifferencesFollowLostAnnouncements creates more devices than the smallest buffer has room for while nothing
// reads, deletes one, and changes one.
func TestDifferencesFollowLostAnnouncements(t *testing.T) {
	ns := open(t)
	ip(t, "tuntap add tun0 mode tun")
	ip(t, "tuntap add tun1 mode tun")
	const n = 200
	enough := errors.New("enough")
	count := map[EventKind]int{}
	lines := ""
	err := run(context.Background(), ns, nil, nil, 1, func(events []Event) error {
		for _, e := range events {
			count[e.Kind]++
			if d := e.Device(); d != nil && d.Index <= 3 {
				lines += d.Name + " " + string(e.Kind) + "\n"
			}
		}
		if count[EventWatching] == 1 {
			count[EventWatching]++
			for i := range n {
				ip(t, fmt.Sprintf("tuntap add x%d mode tun", i))
			}
			ip(t, "link del tun0")
			ip(t, "link set tun1 mtu 1400 up")
			ip(t, "address add 10.0.0.1/24 dev tun1")
		}
		if count[EventCreated] == n && count[EventLost] > 0 && strings.Contains(lines, "address") {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Error(err)
	}
	if count[EventLost] != 1 || count[EventCreated] != n {
		t.Errorf("%d lost, %d created", count[EventLost], count[EventCreated])
	}
	if want := "tun0 deleted\ntun1 mtu\ntun1 address\ntun1 up\n"; lines != want {
		t.Errorf("got:\n%swant:\n%s", lines, want)
	}
}

// TestAWatchEndsWithItsReader also checks that no descriptor stays open.
func TestAWatchEndsWithItsReader(t *testing.T) {
	ns := open(t)
	descriptors := func() int { return len(files.Names("/proc/self/fd")) }
	before := descriptors()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	err = Run(context.Background(), ns, nil, w, func([]Event) error { return r.Close() })
	if err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := Run(ctx, ns, nil, nil, func([]Event) error { cancel(); return nil }); err != nil {
		t.Error(err)
	}
	refused := errors.New("refused")
	if err := Run(context.Background(), ns, nil, nil, func([]Event) error { return refused }); !errors.Is(err,
		refused) {
		t.Error(err)
	}
	w.Close()
	if after := descriptors(); after != before {
		t.Errorf("%d descriptors, were %d", after, before)
	}
}

// TestAFinishedAttachmentIsReported attaches and detaches a program before the watcher looks. For a single-queue
// device, the kernel does not announce the number of attached programs.
func TestAFinishedAttachmentIsReported(t *testing.T) {
	ns := open(t)
	ip(t, "tuntap add tun0 mode tun multi_queue")
	ip(t, "link set tun0 up")
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	lines := ""
	err := Run(ctx, ns, func(name string) bool { return name == "tun0" }, nil, func(events []Event) error {
		lines += told(events) + "\n"
		switch {
		case events[0].Kind == EventWatching:
			f, err := nstest.Attach("tun0", unix.IFF_TUN|unix.IFF_NO_PI|unix.IFF_MULTI_QUEUE)
			if err != nil {
				return err
			}
			f.Close()
			ip(t, "link set tun0 alias over")
		case strings.Contains(lines, "alias"):
			cancel()
		}
		return nil
	})
	if err != nil || !strings.Contains(lines, "attached ?") || !strings.Contains(lines, "detached ?") {
		t.Errorf("%v, %s", err, lines)
	}
}

// TestAnEventHasFurtherLooks: a program may open the driver long before it attaches.
func TestAnEventHasFurtherLooks(t *testing.T) {
	ns := open(t)
	announcements, err := openAnnouncements(rtnl.AnnouncementsSize)
	if err != nil {
		t.Fatal(err)
	}
	defer announcements.Close()
	w := &watcher{ns: ns, announcements: announcements, driver: -1, masters: map[int]string{}}
	var pauses []time.Duration
	for w.lookSoon(); !w.lookAt.IsZero(); {
		pauses = append(pauses, w.pause)
		if err := w.look(); err != nil {
			t.Fatal(err)
		}
	}
	if want := []time.Duration{pause, 5 * pause, 25 * pause, 125 * pause}; !slices.Equal(pauses, want) {
		t.Errorf("looks after %v, want %v", pauses, want)
	}
}
