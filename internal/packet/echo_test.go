package packet

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/link"
)

// The other end of a tap, and of a tun.
var (
	tapEnd = Responder{Mode: link.TAP, MAC: [6]byte{2, 0, 0, 0, 0, 0xee},
		Broadcasts: []netip.Addr{netip.MustParseAddr("10.0.0.255")}}
	tunEnd = Responder{Mode: link.TUN, Broadcasts: tapEnd.Broadcasts}
)

// Packets that are answered, with their checksums.
const (
	ping4 = "4500001d abcd4000 4001 7b10 0a000001 0a000002 0800 96fd 0001 0001 61"
	ping6 = "60012345 0009 3a 40" + from6to6 + "8000 24b5 0001 0001 61"
	ask4  = "0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002"
	ask6  = "60000000 0020 3a ff fd000000000000000000000000000001 ff0200000000000000000001ff000002" +
		"8700 7f77 00000000 fd000000000000000000000000000002 0101 020000000001"
	toAll  = "ffffffffffff 020000000001"
	toMany = "3333ff000002 020000000001"
	toEnd  = "0200000000ee 020000000001"
	toHost = "020000000001 0200000000ee"
)

// with is hexadecimal with some bytes at a place changed.
func with(s string, at int, change string) string {
	s, change = strings.ReplaceAll(s, " ", ""), strings.ReplaceAll(change, " ", "")
	return s[:2*at] + change + s[2*at+len(change):]
}

// sum4 puts the checksum of an IPv4 header right, and sum6 that of a message of ICMPv6.
func sum4(t *testing.T, s string) string {
	p := raw(t, s)
	copy(p[10:], "\x00\x00")
	binary.BigEndian.PutUint16(p[10:], checksum(0, p[:20]))
	return hex.EncodeToString(p)
}

func sum6(t *testing.T, s string) string {
	p := raw(t, s)
	sign(p[40:], p[40], pseudoIPv6(p[8:40], len(p)-40))
	return hex.EncodeToString(p)
}

func TestRespond(t *testing.T) {
	const end6 = "fd000000000000000000000000000002 fd000000000000000000000000000001"
	for _, c := range []struct{ what, ask, want string }{
		{"tun", ping4, "4500001d abcd0000 4001 bb10 0a000002 0a000001 0000 9efd 0001 0001 61"},
		{"tun", ping6, "60000000 0009 3a 40" + end6 + "8100 23b5 0001 0001 61"},
		{"tun, padded", ping4 + "0000", "4500001d abcd0000 4001 bb10 0a000002 0a000001 0000 9efd 0001 0001 61"},
		{"tap", toEnd + "0800" + ping4,
			toHost + "0800 4500001d abcd0000 4001 bb10 0a000002 0a000001 0000 9efd 0001 0001 61"},
		{"tap", toEnd + "86dd" + ping6, toHost + "86dd 60000000 0009 3a 40" + end6 + "8100 23b5 0001 0001 61"},
		{"tap", toAll + "0806" + ask4,
			toHost + "0806 0001 0800 06 04 0002 0200000000ee 0a000002 020000000001 0a000001"},
		{"tap, a neighbour with another address", "020000000077 020000000001 0806" + ask4,
			"020000000001 020000000077 0806 0001 0800 06 04 0002 020000000077 0a000002 020000000001 0a000001"},
	} {
		end := &tunEnd
		if strings.HasPrefix(c.what, "tap") {
			end = &tapEnd
		}
		if got := hex.EncodeToString(end.Respond(raw(t, c.ask))); got != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%s: %s\ngot  %s\nwant %s", c.what, c.ask, got, c.want)
		}
	}
	asked := sum6(t, ask6)
	got := tapEnd.Respond(raw(t, toMany+"86dd"+asked))
	const advertisement = "86 bytes  fd00::2 > fd00::1  ICMPv6 neighbour advertisement: here is fd00::2"
	if line := Describe(got, link.TAP); line != advertisement {
		t.Fatal(line)
	}
	frame := hex.EncodeToString(got)
	if !strings.HasPrefix(frame, strings.ReplaceAll(toHost, " ", "")) || frame[2*58:2*62] != "60000000" ||
		!strings.HasSuffix(frame, "02010200000000ee") {
		t.Error(frame)
	}
}

// TestPacketsNotAnswered sends packets that no host may answer, on a tun and in a frame.
func TestPacketsNotAnswered(t *testing.T) {
	for what, s := range map[string]string{
		"nothing": "", "one byte": "45", "six": "60",
		"cut off":            with(ping4, 0, "")[:40],
		"a wrong checksum":   with(ping4, 10, "ffff"),
		"a damaged message":  with(ping4, 28, "62"),
		"a first fragment":   sum4(t, with(ping4, 6, "2000")),
		"a later fragment":   sum4(t, with(ping4, 6, "0001")),
		"to a multicast":     sum4(t, with(ping4, 16, "e0000001")),
		"to all":             sum4(t, with(ping4, 16, "ffffffff")),
		"to the network":     sum4(t, with(ping4, 16, "0a0000ff")),
		"to localhost":       sum4(t, with(ping4, 16, "7f000001")),
		"from a multicast":   sum4(t, with(ping4, 12, "e0000001")),
		"from nobody":        sum4(t, with(ping4, 12, "00000000")),
		"from all":           sum4(t, with(ping4, 12, "ffffffff")),
		"to oneself":         sum4(t, with(ping4, 16, "0a000001")),
		"a long header":      sum4(t, with(ping4, 0, "4f")),
		"too long":           sum4(t, with(ping4, 2, "0100")),
		"too short":          sum4(t, with(ping4, 2, "0014")),
		"UDP":                sum4(t, with(ping4, 9, "11")),
		"a reply":            "4500001d abcd0000 4001 bb10 0a000002 0a000001 0000 9efd 0001 0001 61",
		"a reply of six":     sum6(t, with(ping6, 40, "8100")),
		"six, wrong":         with(ping6, 42, "ffff"),
		"six, code":          sum6(t, with(ping6, 41, "01")),
		"six, multicast":     sum6(t, with(ping6, 24, "ff020000000000000000000000000001")),
		"six, from nobody":   sum6(t, with(ping6, 8, "00000000000000000000000000000000")),
		"six, to nobody":     sum6(t, with(ping6, 24, "00000000000000000000000000000000")),
		"six, localhost":     sum6(t, with(ping6, 24, "00000000000000000000000000000001")),
		"six, to oneself":    sum6(t, with(ping6, 24, "fd000000000000000000000000000001")),
		"six, too long":      with(ping6, 4, "0100"),
		"six, too short":     with(ping6, 4, "0007"),
		"six, a fragment":    "60000000 0010 2c 40" + from6to6 + "3a00 0001 00000001 8000 0000 0001 0001",
		"asked on a tun":     sum6(t, ask6),
		"neither four nor 6": with(ping4, 0, "15"),
	} {
		if got := tunEnd.Respond(raw(t, s)); got != nil {
			t.Errorf("%s: %s is answered: %x", what, s, got)
		}
		if got := tapEnd.Respond(raw(t, toEnd+"0800"+s)); got != nil {
			t.Errorf("%s in a frame: %s is answered: %x", what, s, got)
		}
	}
}

// TestFramesNotAnswered goes through what is wrong with a frame, or with a question for an address.
func TestFramesNotAnswered(t *testing.T) {
	in := func(head, kind, p string) string { return head + kind + p }
	for what, s := range map[string]string{
		"a ping to all":             in(toAll, "0800", ping4),
		"a ping to many":            in(toMany, "86dd", ping6),
		"another type":              in(toEnd, "0801", ping4),
		"a tag":                     in(toEnd, "8100 0005 0800", ping4),
		"from a group":              in("0200000000ee 010000000001", "0800", ping4),
		"from itself":               in("020000000001 0200000000ee", "0800", ping4),
		"is the address free?":      in(toAll, "0806", with(ask4, 14, "00000000")),
		"here I am":                 in(toAll, "0806", with(ask4, 24, "0a000001")),
		"who has a multicast?":      in(toAll, "0806", with(ask4, 24, "e0000001")),
		"an answer":                 in(toEnd, "0806", with(ask4, 6, "0002")),
		"of another protocol":       in(toAll, "0806", with(ask4, 2, "86dd")),
		"cut off":                   in(toAll, "0806", with(ask4, 0, "")[:30]),
		"is the IPv6 address free?": in(toMany, "86dd", sum6(t, with(ask6, 8, "00000000000000000000000000000000"))),
		"from a router away":        in(toMany, "86dd", sum6(t, with(ask6, 7, "fe"))),
		"who has many?":             in(toMany, "86dd", sum6(t, with(ask6, 48, "ff"))),
		"an advertisement":          in(toEnd, "86dd", sum6(t, with(ask6, 40, "88"))),
	} {
		if got := tapEnd.Respond(raw(t, s)); got != nil {
			t.Errorf("%s: %s is answered: %x", what, s, got)
		}
	}
}

// FuzzRespond expects that an answer is one, goes to one host, and is not answered itself.
func FuzzRespond(f *testing.F) {
	for _, s := range []string{ping4, ping6} {
		f.Add(raw(f, s), false)
		f.Add(raw(f, toEnd+"0800"+s), true)
		f.Add(raw(f, toEnd+"86dd"+s), true)
	}
	f.Add(raw(f, toAll+"0806"+ask4), true)
	f.Add(raw(f, toMany+"86dd"+ask6), true)
	f.Fuzz(func(t *testing.T, p []byte, tap bool) {
		end := &tunEnd
		if tap {
			end = &tapEnd
		}
		before := string(p)
		answer := end.Respond(p)
		if string(p) != before {
			t.Errorf("%x is changed to %x", before, p)
		}
		if answer == nil {
			return
		}
		line := Describe(answer, end.Mode)
		if !strings.Contains(line, "echo reply") && !strings.Contains(line, "ARP reply") &&
			!strings.Contains(line, "neighbour advertisement: ") {
			t.Errorf("%x: %s", p, line)
		}
		if again := end.Respond(answer); again != nil {
			t.Errorf("%x: %x is answered: %x", p, answer, again)
		}
		if tap && (answer[0]&1 != 0 || answer[6]&1 != 0) {
			t.Errorf("%x: a group in %x", p, answer)
		}
		if len(answer) > len(p)+28 {
			t.Errorf("%d bytes get %d", len(p), len(answer))
		}
	})
}
