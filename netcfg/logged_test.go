package netcfg

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
)

// TestStepsAreLoggedWhileOthersWait creates many devices, and looks at the last one at the first step of either kind.
func TestStepsAreLoggedWhileOthersWait(t *testing.T) {
	ns := open(t)
	const count = 300
	var changes []Change
	for i := range count {
		want := &Spec{Name: fmt.Sprintf("x%d", i), Mode: link.TUN, Access: users.Root(), Link: Link{MTU: on(1400)}}
		changes = append(changes, Change{Name: want.Name, Want: want})
	}
	planned, logged := 0, map[StepKind]int{}
	last := map[StepKind]string{}
	results, err := ns.Run(context.Background(), changes, Options{
		Planned: func(steps int) { planned = steps },
		Log: func(s Step) {
			if logged[s.Kind]++; logged[s.Kind] == 1 {
				last[s.Kind] = ip(t, "-o link show type tun")
			}
		},
	})
	if err != nil || results[count-1].Err != nil {
		t.Fatal(err, results[count-1].Err)
	}
	if planned != 2*count || logged[StepCreate] != count || logged[StepLink] != count {
		t.Errorf("%d steps were planned, and these were logged: %v", planned, logged)
	}
	if n := strings.Count(last[StepCreate], "\n"); n != 1 {
		t.Errorf("%d devices existed when the first one was logged", n)
	}
	if n := strings.Count(last[StepLink], "mtu 1400"); n == 0 || n >= count {
		t.Errorf("%d devices had the MTU when the first one was logged", n)
	}
}
