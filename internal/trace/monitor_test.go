package trace

import (
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// A lab is a network namespace with two tuns, of which the test is the program of the first, and a drop monitor.
type lab struct {
	*testing.T
	*Trace
	queue *os.File
}

// newLab returns nil if the kernel's drop monitor is not loaded.
func newLab(t *testing.T) *lab {
	nstest.NeedReal(t)
	if _, err := os.Stat("/sys/module/drop_monitor"); err != nil {
		t.Log("the drop monitor is not loaded")
		return nil
	}
	nstest.Enter(t)
	l := &lab{T: t}
	for i, name := range []string{"tun1", "tun2"} {
		f, err := nstest.Attach(name, unix.IFF_TUN|unix.IFF_NO_PI)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Close() })
		if err := unix.IoctlSetInt(int(f.Fd()), unix.TUNSETPERSIST, 1); err != nil {
			t.Fatal(err)
		}
		nstest.Run(t, "ip", "address", "add", []string{"10.0.0.1/24", "10.0.2.1/24"}[i], "dev", name)
		nstest.Run(t, "ip", "link", "set", name, "up")
		if i == 0 {
			l.queue = f
		}
	}
	link, err := net.InterfaceByName("tun1")
	if err != nil {
		t.Fatal(err)
	}
	h, err := openHost()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	l.Trace = &Trace{host: h, counted: tally{}, target: target{Device: Device{Name: "tun1", Index: link.Index}}}
	l.monitor, err = openMonitor()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// write writes a packet to the device.
func (l *lab) write(packet string) {
	l.Helper()
	b, err := hex.DecodeString(packet)
	if err != nil {
		l.Fatal(err)
	}
	if _, err := unix.Write(int(l.queue.Fd()), b); err != nil {
		l.Fatal(err)
	}
}

// until waits for a dropped packet, and reports its explanation.
func (l *lab) until(packet string, toProgram bool, functions ...string) {
	l.Helper()
	var seen []string
	for end := time.Now().Add(nstest.Patience(5 * time.Second)); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for e, ok := l.Next(); ok; e, ok = l.Next() {
			means, _ := l.Explain(&e)
			text := e.Packet.String() + " " + e.Reason + " in " + e.Function + ": " + means
			seen = append(seen, text)
			for _, function := range functions {
				if e.Packet.String() == packet && e.Function == function && e.ToProgram == toProgram {
					l.Log(text)
					if means == "" {
						l.Errorf("%s has no explanation", text)
					}
					return
				}
			}
		}
	}
	l.Fatalf("%s is not reported; seen: %q", packet, seen)
}

// TestTheDropMonitorReports provokes drops for real. The kernel's drop monitor reports those of the device, and is off
// afterwards.
func TestTheDropMonitorReports(t *testing.T) {
	l := newLab(t)
	if l == nil {
		return
	}
	defer l.detach()
	const udp = "10.0.0.2:4000 > 10.0.0.1:9 udp"
	l.write("4500001c00000000401177de0a0000020a0000010fa0000900080000") // the header's checksum
	l.until(udp, false, "ip_rcv_core")
	l.write("4500001c00000000400166df0a0000020a0000010800123400000000") // that of ICMP
	l.until("10.0.0.2 > 10.0.0.1 icmp", false, "icmp_rcv")
	l.write("4500001c00000000401166cf0a0000020a0000010fa0000900080000") // no program listens
	l.until(udp, false, "__udp4_lib_rcv")
	nstest.Run(t, "ip", "route", "add", "192.0.2.0/24", "dev", "tun2")
	nstest.Run(t, "sysctl", "-qw", "net.ipv4.conf.tun1.rp_filter=1")
	l.write("4500001c000000004011aec7c00002090a0000010fa0000900080000")
	l.until("192.0.2.9:4000 > 10.0.0.1:9 udp", false, "ip_rcv_finish_core")
	l.write("4500001c00000000401134c60a000002cb0071090fa0000900080000") // forwarding is off
	l.until("10.0.0.2:4000 > 203.0.113.9:9 udp", false, "ip_error", "ip_rcv_finish_core")
	if _, err := exec.LookPath("nft"); err == nil {
		nstest.Run(t, "nft", "add table ip t; add chain ip t c { type filter hook input priority 0; policy drop; }")
		l.write("4500001c00000000401166cf0a0000020a0000010fa0000900080000")
		l.until(udp, false, "nf_hook_slow")
	}
	if _, err := exec.LookPath("tc"); err == nil {
		nstest.Run(t, "tc", "qdisc", "add", "dev", "tun1", "ingress")
		nstest.Run(t, "tc", "filter", "add", "dev", "tun1", "parent", "ffff:", "matchall", "action", "drop")
		l.write("4500001c00000000401166cf0a0000020a0000010fa0000900080000")
		l.until(udp, false, "__netif_receive_skb_core")
	}
	_ = l.queue.Close() // no program
	c, err := net.DialUDP("udp4", nil, &net.UDPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 9})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	from := c.LocalAddr().String()
	l.until(from+" > 10.0.0.2:9 udp", true, "kfree_skb_list", "kfree_skb_list_reason", "tun_net_xmit")

	shared, err := openMonitor() // another trace at the same time
	if err != nil {
		t.Fatal(err)
	}
	if shared.ours {
		t.Error("the drop monitor was not on")
	}
	shared.close()
	l.detach()
	again, err := openMonitor()
	if err != nil {
		t.Fatal(err)
	}
	if again.close(); !again.ours {
		t.Error("the drop monitor stayed on")
	}
}

// TestReadFrame reads copies of packets with and without an Ethernet header.
func TestReadFrame(t *testing.T) {
	packet, _ := hex.DecodeString("4500001c00000000401166cf0a0000020a0000010fa0000900080000")
	frame := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, packet...)
	for name, b := range map[string][]byte{"packet": packet, "frame": frame} {
		var e Event
		e.readFrame(unix.ETH_P_IP, b, len(b))
		if e.Packet.String() != "10.0.0.2:4000 > 10.0.0.1:9 udp" || e.Size != len(packet) ||
			(e.toMAC != nil) != (name == "frame") {
			t.Errorf("%s: %+v", name, e)
		}
		for n := range b {
			new(Event).readFrame(unix.ETH_P_IP, b[:n], n) // it must not panic
			new(Event).readFrame(unix.ETH_P_IPV6, b[:n], n)
		}
	}
}
