package rtnl

import (
	"errors"
	"slices"
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
	if firstByte(nil) != 0 || Uint16([]byte{1}) != 0 || Uint32([]byte{1, 2, 3}) != 0 {
		t.Error("not 0")
	}
	if firstByte([]byte{7}) != 7 || Uint16(nl.Uint16Attr(500)) != 500 || Uint32(nl.Uint32Attr(70000)) != 70000 {
		t.Error("not the number")
	}
	if got := text([]byte("tun7\x00")); got != "tun7" {
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

func TestALinkTellsUnsetFromZero(t *testing.T) {
	message := func(data ...*nl.RtAttr) []byte {
		info := nl.NewRtAttr(unix.IFLA_LINKINFO, nil)
		info.AddRtAttr(nl.IFLA_INFO_KIND, nl.ZeroTerminated("tun"))
		tun := info.AddRtAttr(nl.IFLA_INFO_DATA, nil)
		for _, d := range data {
			tun.AddRtAttr(int(d.Type), d.Data)
		}
		header := nl.NewIfInfomsg(unix.AF_UNSPEC)
		header.Index = 7
		return append(header.Serialize(), info.Serialize()...)
	}
	var unset, root Link
	if !unset.Unmarshal(message()) || !root.Unmarshal(message(nl.NewRtAttr(nl.IFLA_TUN_OWNER, nl.Uint32Attr(0)))) {
		t.Fatal("not read")
	}
	if unset.Index != 7 || unset.Kind != "tun" || unset.Tun.Owner != nil || unset.Tun.Group != nil {
		t.Errorf("without an owner: %+v", unset)
	}
	if root.Tun.Owner == nil || *root.Tun.Owner != 0 || root.Tun.Group != nil {
		t.Errorf("of root: %+v", root)
	}
	if new(Link).Unmarshal(make([]byte, unix.SizeofIfInfomsg-1)) {
		t.Error("a header that is too short is read")
	}
}

func TestAnAddressHasAPeerIfItDiffers(t *testing.T) {
	local, other := []byte{10, 0, 0, 1}, []byte{10, 0, 0, 2}
	for _, c := range []struct {
		local, address []byte
		want, peer     string
	}{
		{local, local, "10.0.0.1", "invalid IP"},
		{local, other, "10.0.0.1", "10.0.0.2"},
		{nil, other, "10.0.0.2", "invalid IP"},
		{[]byte{10}, other, "10.0.0.2", "invalid IP"}, // malformed
	} {
		body := nl.NewIfAddrmsg(unix.AF_INET).Serialize()
		for kind, value := range map[int][]byte{unix.IFA_LOCAL: c.local, unix.IFA_ADDRESS: c.address} {
			if value != nil {
				body = append(body, nl.NewRtAttr(kind, value).Serialize()...)
			}
		}
		var a Address
		if ok := a.Unmarshal(body); !ok || a.Local.String() != c.want || a.Peer.String() != c.peer {
			t.Errorf("%v, %v: %v, local %v, peer %v", c.local, c.address, ok, a.Local, a.Peer)
		}
	}
	if new(Address).Unmarshal(nl.NewIfAddrmsg(unix.AF_INET).Serialize()) {
		t.Error("a message without an address is one")
	}
}

// hop returns a struct rtnexthop without attributes.
func hop(flags byte, index uint32) []byte {
	return append([]byte{unix.SizeofRtNexthop, 0, flags, 0}, nl.Uint32Attr(index)...)
}

func TestARouteIsResentThroughAnotherLink(t *testing.T) {
	const flags = unix.RTNH_F_DEAD | unix.RTNH_F_ONLINK
	header := nl.RtMsg{RtMsg: unix.RtMsg{Family: unix.AF_INET, Dst_len: 8, Flags: flags}}
	cacheinfo := make([]byte, 32)
	copy(cacheinfo[8:], nl.Uint32Attr(4200))
	body := header.Serialize()
	for _, a := range []*nl.RtAttr{
		nl.NewRtAttr(unix.RTA_DST, []byte{10, 0, 0, 0}), nl.NewRtAttr(unix.RTA_OIF, nl.Uint32Attr(5)),
		nl.NewRtAttr(unix.RTA_MULTIPATH, append(hop(unix.RTNH_F_LINKDOWN, 5), hop(unix.RTNH_F_ONLINK, 6)...)),
		nl.NewRtAttr(unix.RTA_CACHEINFO, cacheinfo),
	} {
		body = append(body, a.Serialize()...)
	}
	var before, after Route
	if !before.Unmarshal(body) || !before.Expires || !after.Unmarshal(resendRoute(before.Message, 5, 9)) {
		t.Fatalf("not read: %+v", before)
	}
	if after.To.String() != "10.0.0.0/8" || after.Flags != unix.RTNH_F_ONLINK || after.Index != 9 ||
		!slices.Equal(after.Hops, []int{9, 6}) || after.Expires || !after.Extra {
		t.Errorf("%+v", after)
	}
	for kind, value := range Attributes(after.Message[unix.SizeofRtMsg:]) {
		switch kind {
		case unix.RTA_EXPIRES:
			if Uint32(value) != 42 {
				t.Errorf("%d seconds left", Uint32(value))
			}
		case unix.RTA_MULTIPATH:
			if value[2] != 0 || value[unix.SizeofRtNexthop+2] != unix.RTNH_F_ONLINK {
				t.Errorf("flags of hops: %x", value)
			}
		}
	}
}

// FuzzUnmarshal reads messages that no kernel sends: each gives a value or none, and a route can be sent again.
func FuzzUnmarshal(f *testing.F) {
	f.Add(nl.NewIfInfomsg(unix.AF_UNSPEC).Serialize())
	hops := nl.NewRtAttr(unix.RTA_MULTIPATH, append(hop(0, 1), 3, 0, 0, 0))
	f.Add(append((&nl.RtMsg{}).Serialize(), hops.Serialize()...))
	f.Fuzz(func(t *testing.T, body []byte) {
		new(Link).Unmarshal(body)
		new(Address).Unmarshal(body)
		var r, again Route
		if r.Unmarshal(body) && !again.Unmarshal(resendRoute(r.Message, 1, 2)) {
			t.Error("the route that is sent again is no route")
		}
	})
}
