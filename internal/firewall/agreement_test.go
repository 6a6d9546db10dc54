package firewall

import (
	"math/rand/v2"
	"os"
	"strconv"
)

// An agreement compares evaluations with what the kernel does.
type agreement struct {
	*lab
	*generator
	seed                  uint64
	packets, lost, unsure int // unsure are not among packets
}

// agree begins an agreement. TUNADM_TEST_SEED is the seed of its random data, to repeat a run.
func agree(l *lab, stream uint64) *agreement {
	seed := rand.Uint64()
	if n, err := strconv.ParseUint(os.Getenv("TUNADM_TEST_SEED"), 10, 64); err == nil {
		seed = n
	}
	return &agreement{lab: l, generator: &generator{rand.New(rand.NewPCG(seed, stream))}, seed: seed}
}

// send sends a packet through rules: what is evaluated as passed arrives, and what is evaluated as dropped does not.
func (c *agreement) send(rs *Ruleset, trip trip, rules any) {
	c.Helper()
	v, passes := evaluate(rs, trip), c.passes(trip)
	switch {
	case v.Action == MayDrop:
		c.unsure++
		return
	case (v.Action == Pass) != passes:
		c.Fatalf("seed %d: passes %v, evaluated as %+v\n%+v\n%+v", c.seed, passes, v, trip, rules)
	case !passes:
		c.lost++
	}
	c.packets++
}

// end fails if more than one evaluation in unsure is not known, or fewer than one packet in lost is lost.
func (c *agreement) end(unsure, lost int) {
	c.Helper()
	c.Logf("%d packets: %d lost; %d more not known", c.packets, c.lost, c.unsure)
	if c.unsure*unsure > c.packets || c.lost*lost < c.packets {
		c.Errorf("%d known, of which %d lost; %d not known", c.packets, c.lost, c.unsure)
	}
}
