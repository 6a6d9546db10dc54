package doctor

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheManualHasAllChecks compares the manual's list of checks with the program's, in their order.
func TestTheManualHasAllChecks(t *testing.T) {
	page, err := os.ReadFile("../../man/tunadm-doctor.8")
	if err != nil {
		t.Fatal(err)
	}
	_, list, _ := strings.Cut(string(page), "\nThe checks, in their order:\n")
	list, _, _ = strings.Cut(list, "\n.Sh ")
	var described, checks []string
	for _, item := range regexp.MustCompile(`(?m)^\.It Cm ([a-z0-9-]+)$`).FindAllStringSubmatch(list, -1) {
		described = append(described, item[1])
	}
	for _, c := range slices.Concat(machineChecks(), deviceChecks()) {
		checks = append(checks, c.name)
	}
	if !slices.Equal(described, checks) {
		t.Errorf("the manual has %v\nthe program %v", described, checks)
	}
}
