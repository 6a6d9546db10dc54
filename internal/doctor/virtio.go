package doctor

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// virtioHeader finds a program that requested virtio headers, and whose writes fail. The driver refuses a packet with a
// wrong header before it counts anything, so only the writes of the program tell.
func virtioHeader(v *view) []Finding {
	const while = 100 * time.Millisecond
	d := v.device
	if s := d.Stats; v.Device == "" || !d.VnetHdr || !d.Up || !d.InUse() || s.RxPackets+s.RxDropped+s.RxErrors > 0 {
		return nil
	}
	for _, h := range d.Holders {
		calls, bytes := v.written(h.PID)
		if calls == 0 {
			continue
		}
		failed, when := calls-min(calls, bytes), "until now"
		if failed == 0 {
			time.Sleep(while)
			callsNow, bytesNow := v.written(h.PID)
			calls, bytes = callsNow-min(calls, callsNow), bytesNow-min(bytes, bytesNow)
			failed, when = calls-min(calls, bytes), "within "+while.String()
		}
		if failed == 0 {
			continue
		}
		who := words.Escape(h.Command) + " (pid " + strconv.Itoa(h.PID) + ")"
		what := fmt.Sprintf("%s attached with IFF_VNET_HDR, and no packet arrived from it: of its %d writes %s at "+
			"least %d failed", who, calls, when, failed)
		return one(Warning, what, "the kernel expects a virtio header before each packet (virtio_net_hdr, 10 bytes "+
			"unless TUNSETVNETHDRSZ changed it); a write without it gets \"invalid argument\", which no counter shows",
			fix.Sentence("change the program: attach without IFF_VNET_HDR, or write the header before each packet"))
	}
	return nil
}

// written returns how often a process has called write, and how many bytes it has written. Each successful call has at
// least one byte; a failed one has none.
func (v *view) written(pid int) (calls, bytes uint64) {
	b, _ := v.file("/proc/" + strconv.Itoa(pid) + "/io")
	for line := range strings.Lines(string(b)) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), ": ")
		n, _ := strconv.ParseUint(number, 10, 64)
		switch name {
		case "syscw":
			calls = n
		case "wchar":
			bytes = n
		}
	}
	return calls, bytes
}
