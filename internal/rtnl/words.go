package rtnl

import (
	"fmt"
	"strings"

	"github.com/tunadm/tunadm/internal/words"
	"golang.org/x/sys/unix"
)

// AddressWords returns the words of ip addr add after [link.Address.Words] that give an address of the link dev the
// other properties of the message. They have a space before each word, and are empty without a message.
func AddressWords(message []byte, dev string) string {
	if len(message) < unix.SizeofIfAddrmsg {
		return ""
	}
	const forever = 1<<32 - 1
	var b strings.Builder
	flags := uint32(message[2])
	for kind, value := range Attributes(message[unix.SizeofIfAddrmsg:]) {
		switch kind {
		case unix.IFA_FLAGS:
			flags = Uint32(value)
		case unix.IFA_LABEL:
			if label := text(value); label != dev {
				b.WriteString(" label " + words.Quote(label))
			}
		case unix.IFA_RT_PRIORITY:
			fmt.Fprintf(&b, " metric %d", Uint32(value))
		case unix.IFA_CACHEINFO: // struct ifa_cacheinfo
			preferred, valid := Uint32(value), Uint32(value[min(4, len(value)):])
			if preferred != forever || valid != forever {
				fmt.Fprintf(&b, " valid_lft %s preferred_lft %s", seconds(valid), seconds(preferred))
			}
		}
	}
	for _, flag := range []struct {
		bit  uint32
		word string
	}{{unix.IFA_F_NODAD, "nodad"}, {unix.IFA_F_HOMEADDRESS, "home"}, {unix.IFA_F_MANAGETEMPADDR, "mngtmpaddr"},
		{unix.IFA_F_NOPREFIXROUTE, "noprefixroute"}, {unix.IFA_F_MCAUTOJOIN, "autojoin"}} {
		if flags&flag.bit != 0 && (message[0] == unix.AF_INET6 || flag.bit > unix.IFA_F_HOMEADDRESS) {
			b.WriteString(" " + flag.word)
		}
	}
	if scope := message[3]; message[0] == unix.AF_INET && scope != unix.RT_SCOPE_UNIVERSE {
		fmt.Fprintf(&b, " scope %d", scope)
	}
	return b.String()
}

func seconds(n uint32) string {
	if n == 1<<32-1 {
		return "forever"
	}
	return fmt.Sprint(n)
}

// metricWords has the word of ip route for metrics that are plain numbers (RTAX_*).
var metricWords = map[uint16]string{
	unix.RTAX_MTU: "mtu", unix.RTAX_WINDOW: "window", unix.RTAX_ADVMSS: "advmss", unix.RTAX_REORDERING: "reordering",
	unix.RTAX_HOPLIMIT: "hoplimit", unix.RTAX_INITCWND: "initcwnd", unix.RTAX_INITRWND: "initrwnd",
	unix.RTAX_QUICKACK: "quickack", unix.RTAX_FASTOPEN_NO_COOKIE: "fastopen_no_cookie",
}

// RouteWords returns the words of ip route after the destination, the gateway, the metric and the source of a route
// that give it the other properties of the message. They have a space before each word. ok is false if ip route has no
// words for a property.
func RouteWords(message []byte) (text string, ok bool) {
	var r Route
	if !r.Unmarshal(message) || r.Special || r.Type != unix.RTN_UNICAST {
		return "", false
	}
	var b strings.Builder
	if r.TOS != 0 {
		fmt.Fprintf(&b, " tos %#x", r.TOS)
	}
	if r.Flags&unix.RTNH_F_ONLINK != 0 {
		b.WriteString(" onlink")
	}
	for kind, value := range Attributes(message[unix.SizeofRtMsg:]) {
		switch kind {
		case unix.RTA_METRICS:
			lock := uint32(0)
			for metric, n := range Attributes(value) {
				if metric == unix.RTAX_LOCK {
					lock = Uint32(n)
				}
			}
			for metric, n := range Attributes(value) {
				word := metricWords[metric]
				switch {
				case metric == unix.RTAX_LOCK:
				case word == "":
					return "", false
				case lock&(1<<metric) != 0:
					fmt.Fprintf(&b, " %s lock %d", word, Uint32(n))
				default:
					fmt.Fprintf(&b, " %s %d", word, Uint32(n))
				}
			}
		case unix.RTA_CACHEINFO:
			if left := lifetime(value); left > 0 {
				fmt.Fprintf(&b, " expires %d", left/clockTicks)
			}
		case unix.RTA_FLOW:
			flow := Uint32(value)
			fmt.Fprintf(&b, " realm %d/%d", flow>>16, flow&0xffff)
		case unix.RTA_PREF:
			if word := map[byte]string{1: "high", 3: "low"}[firstByte(value)]; word != "" {
				b.WriteString(" pref " + word)
			}
		}
	}
	return b.String(), true
}
