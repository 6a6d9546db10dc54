package netcfg

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/users"
)

// claimLoop changes the owner of devices, which requires a claim, and creates and deletes others, as another run of
// tunadm does. At the end it sets an alias.
func claimLoop() error {
	k, err := Open("")
	if err != nil {
		return err
	}
	fmt.Println("ready")
	do := func(changes ...Change) {
		results, runErr := k.Run(context.Background(), changes, Options{})
		for _, r := range results {
			if runErr == nil {
				runErr = r.Err
			}
		}
		if err == nil {
			err = runErr
		}
	}
	for n := range attacks(25) {
		var changes []Change
		for i := range 4 {
			access := []*users.Access{users.Root(), {User: &users.ID{Number: 1}}}[n%2]
			changes = append(changes, Change{Name: fmt.Sprint("tun", i), Want: &Spec{Access: access}, Expect: Present})
		}
		do(changes...)
		for i, several := range []bool{false, true} {
			name := fmt.Sprint("new", i)
			want := &Spec{Name: name, Mode: link.TAP, MultiQueue: &several, Access: users.Root(),
				Link: Link{Up: on(true)}}
			do(Change{Name: name, Want: want})
			do(Change{Name: name, Expect: Present})
		}
	}
	end := "end"
	do(Change{Name: "tun3", Want: &Spec{Link: Link{Alias: &end}}, Expect: Present})
	return err
}

// TestNoClaimIsReportedAsAnAttachment watches devices while another run of tunadm changes them, and finally while a
// program attaches.
func TestNoClaimIsReportedAsAnAttachment(t *testing.T) {
	nstest.NeedReal(t) // two users, of which the owner alternates
	k := open(t)
	if !withoutCarrier(t, k) {
		nstest.Skip(t, "needs IFF_NO_CARRIER: before Linux 6.1 a claim turns the carrier on")
	}
	for i := range 4 {
		add(t, k,
			Spec{Name: fmt.Sprint("tun", i), Mode: link.TUN, MultiQueue: on(i%2 == 1), Link: Link{Up: on(i >= 2)}})
	}
	ctx, cancel := context.WithTimeout(context.Background(),
		nstest.Patience(30*time.Second+time.Duration(attacks(25))*time.Second))
	defer cancel()
	count := map[EventKind]int{}
	ended := false
	err := k.Watch(ctx, nil, nil, func(events []Event) error {
		for _, e := range events {
			count[e.Kind]++
			switch used := e.Kind == EventAttached || e.Kind == EventDetached; {
			case e.Kind == EventWatching:
				startRole(t, "claimer", nil, func(string) {})
			case e.Kind == EventAlias:
				ended = true
				f, err := nstest.Attach("tun3", unix.IFF_TUN|unix.IFF_NO_PI|unix.IFF_MULTI_QUEUE)
				if err != nil {
					return err
				}
				f.Close()
			case used && (!ended || e.Device().Name != "tun3"):
				t.Errorf("%s %s", e.Device().Name, told([]Event{e}))
			case e.Kind == EventDetached:
				cancel()
			}
		}
		return nil
	})
	if rounds := attacks(25); err != nil || count[EventCreated] != 2*rounds || count[EventOwner] < 2*rounds ||
		count[EventAttached] != 1 {
		t.Errorf("%v, %v", err, count)
	}
	t.Log(count)
}
