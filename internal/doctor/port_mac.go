package doctor

import (
	"fmt"
	"time"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// portMAC finds a program that sends frames with the MAC address of its own tap: the bridge takes it for an address of
// this host.
func portMAC(j *journey) []Finding {
	p, br := j.port()
	d := j.device
	if p == nil || br == nil || !p.Learning || d.Stats.RxPackets == 0 || len(j.behind(p)) > 0 {
		return nil
	}
	ago, logged := j.host.OwnSource(br.Name, d.Name, d.MAC)
	if !logged {
		return nil
	}
	return one(Warning, fmt.Sprintf("its MAC address %s is also that of the program: the kernel logged, %s ago, "+
		"\"received packet on %s with own address as source address\"", d.MAC, ago.Round(time.Second),
		words.Escape(d.Name)),
		fmt.Sprintf("the bridge %s gives frames to this address to this host, not to the program; of %s from it, it "+
			"has learned no address", words.Escape(br.Name), packets(d.Stats.RxPackets)),
		fix.Run(fix.Tunadm("set", d.Name, "--mac", ownMAC(d).String())))
}
