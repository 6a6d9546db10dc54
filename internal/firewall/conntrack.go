package firewall

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// The bits of ct state, and of ct status.
const (
	stateInvalid     = 1 << 0
	stateEstablished = 1 << 1
	stateRelated     = 1 << 2
	stateNew         = 1 << 3
	stateUntracked   = 1 << 6

	statusReply     = 1<<1 | 1<<2 // IPS_SEEN_REPLY, IPS_ASSURED
	statusExpected  = 1 << 0
	statusConfirmed = 1 << 3
	statusSource    = 1 << 4 // IPS_SRC_NAT
	statusTarget    = 1 << 5 // IPS_DST_NAT
)

// trackingPriority is NF_IP_PRI_CONNTRACK: chains before it see packets without a connection.
const trackingPriority = -200

// tracked reports whether the packet has a connection at this chain.
func (w *Walk) tracked() bool {
	early := (w.hook == Prerouting || w.hook == Output) && w.chain.priority <= trackingPriority
	return !early && !w.untracked && !w.Invalid && !w.Resolves && w.hook != Ingress && w.hook != Egress
}

// conntrack reads or writes a property of the connection.
func conntrack(r *run, e expression) answer {
	key := e.number(unix.NFTA_CT_KEY)
	l := connectionLabel(key)
	if _, writes := e.attributes[unix.NFTA_CT_SREG]; writes {
		if key == unix.NFT_CT_MARK {
			v, _ := r.load(e.number(unix.NFTA_CT_SREG), 4)
			r.ctMark = r.written(r.ctMark, v)
			r.say(l.text + " set" + markWords(v))
			return yes
		}
		r.say(l.text + " set")
		return yes
	}
	v := unknown(16)
	switch {
	case key == unix.NFT_CT_STATE:
		v = host(r.state())
	case !r.tracked():
		return no
	case key == unix.NFT_CT_MARK:
		v = r.ctMark
	case key == unix.NFT_CT_STATUS:
		v = r.status()
	case key == unix.NFT_CT_DIRECTION && !r.Established:
		v = known([]byte{0})
	}
	r.store(e.number(unix.NFTA_CT_DREG), v, l)
	return yes
}

// state returns the bit of ct state.
func (w *Walk) state() uint32 {
	switch {
	case w.untracked || w.Resolves:
		return stateUntracked
	case !w.tracked():
		return stateInvalid
	case w.TooBig:
		return stateRelated
	case w.Established:
		return stateEstablished
	}
	return stateNew
}

// status returns what is known of ct status. A new connection is neither confirmed nor answered.
func (w *Walk) status() value {
	if w.Established {
		return unknown(4)
	}
	sure := uint32(statusReply | statusExpected)
	bits := uint32(0)
	if w.hook != Postrouting {
		sure |= statusConfirmed
	}
	if w.source == no && w.hook != Postrouting {
		sure |= statusSource
	}
	if w.target != maybe {
		sure |= statusTarget
	}
	if w.target == yes {
		bits |= statusTarget
	}
	return value{binary.NativeEndian.AppendUint32(nil, bits), binary.NativeEndian.AppendUint32(nil, sure)}
}

func connectionLabel(key uint32) label {
	switch key {
	case unix.NFT_CT_STATE:
		return label{text: "ct state", kind: state}
	case unix.NFT_CT_STATUS:
		return label{text: "ct status", kind: hostNumber}
	case unix.NFT_CT_MARK:
		return label{text: "ct mark", kind: hostNumber}
	case unix.NFT_CT_DIRECTION:
		return label{text: "ct direction"}
	}
	return label{text: "ct key " + decimal(uint64(key))}
}
