package doctor

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheManualHasAllChecks compares the manual's lists of checks and of stages with the program's, in their order.
func TestTheManualHasAllChecks(t *testing.T) {
	page, err := os.ReadFile("../../man/tunadm-doctor.8")
	if err != nil {
		t.Fatal(err)
	}
	described := func(title string) (names []string) {
		_, list, _ := strings.Cut(string(page), "\n"+title+"\n")
		list, _, _ = strings.Cut(list, "\n.El\n")
		for _, item := range regexp.MustCompile(`(?m)^\.It Cm ([a-z0-9-]+)$`).FindAllStringSubmatch(list, -1) {
			names = append(names, item[1])
		}
		return names
	}
	var checks, stages []string
	for _, c := range slices.Concat(machineChecks(), deviceChecks()) {
		checks = append(checks, c.name)
	}
	for _, c := range []course{toProgram, written, fromProgram, through, toPort, bridged, inward,
		carriedIn, carriedOut} {
		for _, s := range c.stages() {
			if !slices.Contains(slices.Concat(checks, stages), s.name) {
				stages = append(stages, s.name)
			}
		}
	}
	if got := described("The checks, in their order:"); !slices.Equal(got, checks) {
		t.Errorf("the manual has the checks %v\nthe program %v", got, checks)
	}
	if got := described("The stages, in the kernel's order:"); !slices.Equal(got, stages) {
		t.Errorf("the manual has the stages %v\nthe program %v", got, stages)
	}
}
