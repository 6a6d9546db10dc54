package rtnl

import (
	"errors"
	"testing"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// acknowledgement returns the body of an answer: an errno, the header of the request, and attributes.
func acknowledgement(errno int32, attributes ...*nl.RtAttr) []byte {
	body := append(nl.Uint32Attr(uint32(-errno)), make([]byte, unix.SizeofNlMsghdr)...)
	for _, a := range attributes {
		body = append(body, a.Serialize()...)
	}
	return body
}

func TestARefusalHasItsErrnoAndTheKernelsWords(t *testing.T) {
	words := nl.NewRtAttr(unix.NLMSGERR_ATTR_MSG, nl.ZeroTerminated("mtu greater than device maximum."))
	offset := nl.NewRtAttr(unix.NLMSGERR_ATTR_OFFS, nl.Uint32Attr(20))
	malformed := &nl.RtAttr{RtAttr: unix.RtAttr{Len: 200, Type: unix.NLMSGERR_ATTR_MSG}}
	errorType := unix.NlMsghdr{Type: unix.NLMSG_ERROR}
	withWords := unix.NlMsghdr{Type: unix.NLMSG_ERROR, Flags: unix.NLM_F_ACK_TLVS}
	end := unix.NlMsghdr{Type: unix.NLMSG_DONE, Flags: unix.NLM_F_ACK_TLVS}
	broken := malformed.Serialize()
	broken[0] = 200 // longer than the message
	for name, c := range map[string]struct {
		header unix.NlMsghdr
		body   []byte
		want   string // of Error; "": no error
	}{
		"success":           {errorType, acknowledgement(0), ""},
		"no body":           {errorType, nil, ""},
		"three bytes":       {errorType, []byte{1, 2, 3}, ""},
		"errno alone":       {errorType, nl.Uint32Attr(^uint32(21)), "invalid argument"},
		"words not flagged": {errorType, acknowledgement(22, words), "invalid argument"},
		"words": {withWords, acknowledgement(22, offset, words),
			"invalid argument: mtu greater than device maximum"},
		"malformed words": {withWords, append(acknowledgement(22), broken...), "invalid argument"},
		"end of a dump": {end, append(nl.Uint32Attr(^uint32(18)), words.Serialize()...),
			"no such device: mtu greater than device maximum"},
		"a dump that worked": {end, nl.Uint32Attr(0), ""},
	} {
		got := ""
		err := refused(c.header, c.body)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if err := refused(errorType, acknowledgement(int32(unix.EBUSY))); !errors.Is(err, unix.EBUSY) {
		t.Errorf("errors.Is does not find EBUSY in %v", err)
	}
}

func TestAMessageThatDoesNotFitIsAnError(t *testing.T) {
	message := Request(unix.RTM_GETLINK, 0, nl.NewIfInfomsg(unix.AF_UNSPEC)).Serialize()
	for _, length := range []uint32{0, 15, uint32(len(message)) + 1, 1 << 31, ^uint32(0)} {
		b := append([]byte{}, message...)
		copy(b, nl.Uint32Attr(length))
		if err := split(b, func(unix.NlMsghdr, []byte) { t.Errorf("length %d: a message", length) }); err == nil {
			t.Errorf("length %d: no error", length)
		}
	}
	seen := 0
	count := func(h unix.NlMsghdr, body []byte) {
		if seen++; h.Type != unix.RTM_GETLINK || len(body) != unix.SizeofIfInfomsg {
			t.Errorf("message %d: type %d with %d bytes", seen, h.Type, len(body))
		}
	}
	if err := split(append(message, message...), count); err != nil || seen != 2 {
		t.Errorf("%d of 2 messages, %v", seen, err)
	}
}

func TestNumbersOfShortAttributesAreZero(t *testing.T) {
	if Uint8(nil) != 0 || Uint16([]byte{1}) != 0 || Uint32([]byte{1, 2, 3}) != 0 {
		t.Error("not 0")
	}
	if Uint8([]byte{7}) != 7 || Uint16(nl.Uint16Attr(500)) != 500 || Uint32(nl.Uint32Attr(70000)) != 70000 {
		t.Error("not the number")
	}
	if got := Text([]byte("tun7\x00")); got != "tun7" {
		t.Errorf("%q", got)
	}
}

// FuzzAttributes checks that a walk ends, stays inside the message, and makes progress.
func FuzzAttributes(f *testing.F) {
	nested := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
	nested.AddRtAttr(nl.IFLA_INFO_KIND, []byte("tun"))
	f.Add(append(nl.NewRtAttr(unix.IFLA_IFNAME, nl.ZeroTerminated("tun7")).Serialize(), nested.Serialize()...))
	f.Add([]byte{4, 0, 1, 0, 3, 0, 1, 0})
	f.Add([]byte{255, 255, 1, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		seen, total := 0, 0
		for kind, value := range Attributes(b) {
			seen, total = seen+1, total+unix.SizeofRtAttr+len(value)
			if kind&(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER) != 0 {
				t.Errorf("type %#x with flags", kind)
			}
			for range Attributes(value) {
			}
		}
		if total > len(b) || seen > len(b)/unix.SizeofRtAttr {
			t.Errorf("%d attributes of %d bytes in %d", seen, total, len(b))
		}
		for _, kind := range []uint16{unix.NLMSG_ERROR, unix.NLMSG_DONE} {
			header := unix.NlMsghdr{Type: kind, Flags: unix.NLM_F_ACK_TLVS}
			if err := refused(header, b); err != nil {
				_ = err.Error()
			}
		}
		_ = split(b, func(unix.NlMsghdr, []byte) {})
	})
}
