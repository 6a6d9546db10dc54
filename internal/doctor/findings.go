package doctor

import (
	"slices"
	"strconv"

	"github.com/tunadm/tunadm/internal/fix"
)

// byEvidence orders findings: errors first, and of one level counted drops first, opinions last. Equal ones stay in
// their order.
func byEvidence(findings []Finding) []Finding {
	const ranks = 3
	var ranked [(int(OK) + 1) * ranks][]Finding // a sort would move the findings of 10,000 devices many times
	for _, f := range findings {
		rank := 0
		switch {
		case f.opinion:
			rank = 2
		case f.counted == 0:
			rank = 1
		}
		at := int(f.Level)*ranks + rank
		ranked[at] = append(ranked[at], f)
	}
	return slices.Concat(ranked[:]...)
}

// one returns a list of one finding.
func one(level Level, what, means string, fixes ...fix.Fix) []Finding {
	return []Finding{{Level: level, What: what, Means: means, Fixes: fixes}}
}

// ok returns a finding of level OK.
func ok(what string) []Finding { return one(OK, what, "") }

// opinion marks findings as no more than what an administrator may want to know.
func opinion(found []Finding) []Finding {
	for i := range found {
		found[i].opinion = found[i].Level == Warning
	}
	return found
}

// known returns a finding with the text and the hint of an error.
func known(level Level, err error) []Finding {
	if fix := fix.HintOf(err); !fix.IsZero() {
		return one(level, err.Error(), "", fix)
	}
	return one(level, err.Error(), "")
}

// packets returns a number of packets in words.
func packets(n uint64) string {
	if n == 1 {
		return "1 packet"
	}
	return strconv.FormatUint(n, 10) + " packets"
}
