package firewall

import (
	"bytes"
	"slices"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/rtnl"
)

// A set is a named or anonymous set, or a map.
type set struct {
	place
	flags    uint32
	length   int   // of a key, in bytes
	fields   []int // the lengths of the parts of a concatenated key
	read     bool
	unread   bool // the kernel did not return the elements
	elements []element
}

// An element is one entry of a set. In a set of intervals it is the beginning or the end of one.
type element struct {
	key, end []byte // end: the last key of a range in a set of concatenated ranges
	flags    uint32
	data     []byte
	verdict  verdict
}

func decodeSet(body []byte) (*set, bool) {
	family, a := message(body)
	s := &set{place: place{family, a.text(unix.NFTA_SET_TABLE), a.text(unix.NFTA_SET_NAME)},
		flags: a.number(unix.NFTA_SET_FLAGS), length: int(a.number(unix.NFTA_SET_KEY_LEN))}
	for _, field := range rtnl.Attributes(parse(a[unix.NFTA_SET_DESC])[setDescConcat]) {
		s.fields = append(s.fields, int(parse(field).number(setFieldLen)))
	}
	return s, a != nil
}

// load reads the elements of a set, once.
func (rs *Ruleset) load(s *set) {
	if s.read {
		return
	}
	s.read = true
	request := ask(unix.NFT_MSG_GETSETELEM, s.family,
		nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_TABLE, nl.ZeroTerminated(s.table)),
		nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_SET, nl.ZeroTerminated(s.name)))
	lists, err := rtnl.Dump(rs.socket, request, func(body []byte) ([]element, bool) {
		_, a := message(body)
		return decodeElements(a[unix.NFTA_SET_ELEM_LIST_ELEMENTS]), true
	})
	s.elements, s.unread = slices.Concat(lists...), err != nil
	// Where one interval ends and the next begins, the beginning counts. The element that catches all has no key.
	slices.SortStableFunc(s.elements, func(a, b element) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return int(b.flags&unix.NFT_SET_ELEM_INTERVAL_END) - int(a.flags&unix.NFT_SET_ELEM_INTERVAL_END)
	})
}

func decodeElements(b []byte) (all []element) {
	data := func(b []byte) []byte {
		for kind, value := range rtnl.Attributes(b) {
			if kind == unix.NFTA_DATA_VALUE {
				return value
			}
		}
		return nil
	}
	for _, one := range rtnl.Attributes(b) {
		var e element
		for kind, value := range rtnl.Attributes(one) {
			switch kind {
			case unix.NFTA_SET_ELEM_KEY:
				e.key = data(value)
			case elementKeyEnd:
				e.end = data(value)
			case unix.NFTA_SET_ELEM_FLAGS:
				e.flags = attributes{kind: value}.number(kind)
			case unix.NFTA_SET_ELEM_DATA:
				e.data = data(value)
				if v := parse(parse(value)[unix.NFTA_DATA_VERDICT]); len(v) > 0 {
					e.verdict = decodeVerdict(v)
				}
			}
		}
		all = append(all, e)
	}
	return all
}

// find returns the elements that match a key. The answer is that to the question whether one matches; if it is maybe,
// the elements are those that may.
func (rs *Ruleset) find(s *set, key value) (found []*element, is answer) {
	rs.load(s)
	if s.unread {
		return nil, maybe
	}
	var all *element
	if n := len(s.elements); n > 0 && s.elements[0].flags&catchAll != 0 {
		all = &s.elements[0]
	}
	first, last := s.near(key)
	for i := first; i < last; i++ {
		e := &s.elements[i]
		if e.flags&catchAll != 0 {
			continue
		}
		switch s.matches(i, key) {
		case yes:
			return []*element{e}, yes
		case maybe:
			found, is = append(found, e), maybe
		}
	}
	if all != nil {
		found = append(found, all)
		if len(found) == 1 {
			return found, yes
		}
	}
	return found, is
}

// near returns the range of the elements that can match a key.
func (s *set) near(key value) (first, last int) {
	if !key.certain() || s.flags&setConcat != 0 {
		return 0, len(s.elements)
	}
	at, found := slices.BinarySearchFunc(s.elements, key.bits, func(e element, key []byte) int {
		return bytes.Compare(e.key, key)
	})
	if !found {
		return max(at-1, 0), at // the interval that begins before it
	}
	for last = at + 1; last < len(s.elements) && bytes.Equal(s.elements[last].key, key.bits); last++ {
	}
	return at, last
}

// matches reports whether a key is that of an element, or within its interval.
func (s *set) matches(i int, key value) answer {
	e := s.elements[i]
	switch {
	case s.flags&unix.NFT_SET_INTERVAL == 0:
		return key.equals(e.key)
	case s.flags&setConcat != 0 || e.end != nil:
		return s.inside(e, key)
	case e.flags&unix.NFT_SET_ELEM_INTERVAL_END != 0:
		return no
	}
	less, _ := key.order(e.key)
	before := yes
	if i+1 < len(s.elements) {
		before, _ = key.order(s.elements[i+1].key)
	}
	return min(less.not(), before)
}

// inside compares each part of a concatenated key with the range of the element.
func (s *set) inside(e element, key value) answer {
	end := e.end
	if end == nil {
		end = e.key
	}
	fields := s.fields
	if len(fields) == 0 {
		fields = []int{len(key.bits)}
	}
	is, at := yes, 0
	for _, n := range fields {
		if at+n > len(key.bits) || at+n > len(e.key) || at+n > len(end) {
			return maybe
		}
		part := value{key.bits[at : at+n], key.known[at : at+n]}
		is = min(is, part.within(e.key[at:at+n], end[at:at+n]))
		at += (n + 3) &^ 3
	}
	return is
}

// either returns what is known of the data if it is that of one of these elements.
func either(found []*element) (v value) {
	for i, e := range found {
		if i == 0 {
			v = known(e.data)
		} else {
			v = v.join(known(e.data))
		}
	}
	return v
}
