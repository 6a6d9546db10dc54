package evidence

import (
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/bpf"
	"github.com/tunadm/tunadm/internal/rtnl"
)

// An XDPProgram is an XDP program of a link.
type XDPProgram struct {
	ID    uint32
	Mode  string // xdpdrv, xdpgeneric or xdpoffload, as ip-link(8) names it
	Name  string // "": not known
	Drops Answer // whether it drops packets
}

// An Answer is yes, no, or not known.
type Answer uint8

// The answers.
const (
	Maybe Answer = iota
	Always
	Never
)

// XDPPrograms returns the XDP programs of a link.
func (h *Host) XDPPrograms(index int) (all []XDPProgram) {
	modes := map[uint16]string{unix.IFLA_XDP_DRV_PROG_ID: "xdpdrv", unix.IFLA_XDP_SKB_PROG_ID: "xdpgeneric",
		unix.IFLA_XDP_HW_PROG_ID: "xdpoffload"}
	h.link(index, func(kind uint16, value []byte) {
		if kind != unix.IFLA_XDP {
			return
		}
		for kind, value := range rtnl.Attributes(value) {
			if mode := modes[kind]; mode != "" && len(value) >= 4 {
				all = append(all, XDPProgram{ID: rtnl.Uint32(value), Mode: mode})
			}
		}
	})
	for i := range all {
		all[i].inspect()
	}
	return all
}

// inspect reads the name of the program, and what it returns. What cannot be read is not known.
func (p *XDPProgram) inspect() {
	const drop = 1 // XDP_DROP; XDP_ABORTED is 0
	loaded, err := bpf.Inspect(p.ID)
	if err != nil {
		return
	}
	p.Name = loaded.Name
	constants, complete := loaded.Returns()
	if !complete || len(constants) == 0 {
		return
	}
	drops := 0
	for _, c := range constants {
		if c <= drop {
			drops++
		}
	}
	switch drops {
	case 0:
		p.Drops = Never
	case len(constants):
		p.Drops = Always
	}
}
