package doctor

import "testing"

// TestEvidenceComesBeforeOpinion: findings are in the order of their level, and then of their evidence.
func TestEvidenceComesBeforeOpinion(t *testing.T) {
	got := ""
	for _, f := range byEvidence([]Finding{
		{What: "i", Level: OK}, {What: "h", Level: Unknown}, {What: "f", Level: Warning, opinion: true},
		{What: "d", Level: Warning}, {What: "e", Level: Warning}, {What: "b", Level: Error},
		{What: "g", Level: Warning, opinion: true}, {What: "c", Level: Warning, counted: 1},
		{What: "a", Level: Error, counted: 3},
	}) {
		got += f.What
	}
	if got != "abcdefghi" {
		t.Errorf("the order is %s", got)
	}
}
