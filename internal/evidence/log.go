package evidence

import (
	"bytes"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// OwnSource returns the source address of the frame that arrived at a port although the address is one of the bridge or
// of a port, as the kernel logged last, and how long ago. It is nil if the log has no such line, or cannot be read.
func (h *Host) OwnSource(bridge, port string) (mac net.HardwareAddr, ago time.Duration) {
	line := fmt.Sprintf("%s: received packet on %s with own address as source address (addr:", bridge, port)
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) != nil {
		return nil, 0
	}
	for at, text := range kernelLog() {
		rest, found := strings.CutPrefix(text, line)
		address, _, _ := strings.Cut(rest, ",")
		if parsed, err := net.ParseMAC(address); found && err == nil {
			mac, ago = parsed, max(0, time.Duration(now.Nano())-at)
		}
	}
	return mac, ago
}

// LoggedBridge returns the bridge of which a link was a port last, as the kernel logged; "": the log has no such line,
// or cannot be read. The log has the links of all network namespaces.
func (h *Host) LoggedBridge(port string) (bridge string) {
	for _, text := range kernelLog() { // BRIDGE: port NUMBER(PORT) entered STATE state
		name, rest, _ := strings.Cut(text, ": port ")
		_, rest, _ = strings.Cut(rest, "(")
		if strings.HasPrefix(rest, port+") entered ") {
			bridge = name
		}
	}
	return bridge
}

// kernelLog yields the lines of the kernel's log with the time since the boot. A container has no /dev/kmsg, and some
// hosts let nobody but root open it.
func kernelLog() func(yield func(time.Duration, string) bool) {
	fd, err := unix.Open("/dev/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return oldLog
	}
	return func(yield func(time.Duration, string) bool) {
		defer func() { _ = unix.Close(fd) }()
		const longest = 8192 // of a record
		record := make([]byte, longest)
		for {
			n, err := unix.Read(fd, record)
			switch {
			case err == unix.EPIPE || err == unix.EINTR: // a record was overwritten before it was read
				continue
			case err != nil || n <= 0:
				return
			}
			head, text, _ := bytes.Cut(record[:n], []byte(";")) // priority,number,microseconds,flags;text
			text, _, _ = bytes.Cut(text, []byte("\n"))
			fields := strings.Split(string(head), ",")
			if len(fields) < 3 {
				continue
			}
			us, err := strconv.ParseInt(fields[2], 10, 64)
			if err == nil && !yield(time.Duration(us)*time.Microsecond, string(text)) {
				return
			}
		}
	}
}

// oldLog yields the same lines by syslog(2), without those that have no time.
func oldLog(yield func(time.Duration, string) bool) {
	const readAll, size = 3, 10 // SYSLOG_ACTION_*
	n, err := unix.Klogctl(size, nil)
	if err != nil || n <= 0 {
		return
	}
	b := make([]byte, n)
	if n, err = unix.Klogctl(readAll, b); err != nil {
		return
	}
	for line := range strings.Lines(string(b[:n])) { // <priority>[ seconds.microseconds] text
		_, line, _ = strings.Cut(strings.TrimSuffix(line, "\n"), ">[")
		stamp, text, found := strings.Cut(line, "] ")
		seconds, us, _ := strings.Cut(strings.TrimLeft(stamp, " "), ".")
		at, err := strconv.ParseInt(seconds+us, 10, 64)
		if found && err == nil && len(us) == 6 && !yield(time.Duration(at)*time.Microsecond, text) {
			return
		}
	}
}
