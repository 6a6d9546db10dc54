package watch

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// rounds returns how often the other run changes the devices: TUNADM_TEST_ROUNDS, or a few times.
func rounds() int {
	n, _ := strconv.Atoi(os.Getenv("TUNADM_TEST_ROUNDS"))
	return cmp.Or(n, 25)
}

// claimLoop changes the owner of devices, which requires a claim, and creates and deletes others, as another run of
// tunadm does. At the end it sets an alias.
func claimLoop() error {
	k, err := netcfg.Open("")
	if err != nil {
		return err
	}
	do := func(changes ...netcfg.Change) {
		results, runErr := k.Run(context.Background(), changes, netcfg.Options{})
		for _, r := range results {
			if runErr == nil {
				runErr = r.Err
			}
		}
		if err == nil {
			err = runErr
		}
	}
	for n := range rounds() {
		var changes []netcfg.Change
		for i := range 4 {
			access := []*users.Access{users.Root(), {User: &users.ID{Number: 1}}}[n%2]
			changes = append(changes, netcfg.Change{Name: fmt.Sprint("tun", i), Want: &netcfg.Spec{Access: access},
				Expect: netcfg.Present})
		}
		do(changes...)
		up := true
		for i, several := range []bool{false, true} {
			name := fmt.Sprint("new", i)
			want := &netcfg.Spec{Name: name, Mode: link.TAP, MultiQueue: &several, Access: users.Root(),
				Link: netcfg.Link{Up: &up}}
			do(netcfg.Change{Name: name, Want: want})
			do(netcfg.Change{Name: name, Expect: netcfg.Present})
		}
	}
	end := "end"
	do(netcfg.Change{Name: "tun3", Want: &netcfg.Spec{Link: netcfg.Link{Alias: &end}}, Expect: netcfg.Present})
	return err
}

// claim starts the test binary as the other run, which ends by itself.
func claim(t *testing.T) {
	t.Helper()
	c := exec.Command("/proc/self/exe")
	c.Env = append(os.Environ(), role+"=claimer")
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Wait(); err != nil {
			t.Errorf("claimer: %v", err)
		}
	})
}

// TestNoClaimIsReportedAsAnAttachment watches devices while another run of tunadm changes them, and finally while a
// program attaches.
func TestNoClaimIsReportedAsAnAttachment(t *testing.T) {
	nstest.NeedReal(t) // two users, of which the owner alternates
	k := open(t)
	if !surroundings.KernelSince(6, 1) {
		nstest.Skip(t, "needs IFF_NO_CARRIER: before Linux 6.1 a claim turns the carrier on")
	}
	for i, flags := range []string{"", " multi_queue", "", " multi_queue"} {
		ip(t, fmt.Sprintf("tuntap add tun%d mode tun user 0%s", i, flags))
		if i >= 2 {
			ip(t, fmt.Sprintf("link set tun%d up", i))
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(),
		nstest.Patience(30*time.Second+time.Duration(rounds())*time.Second))
	defer cancel()
	count := map[EventKind]int{}
	ended := false
	err := Run(ctx, k, nil, nil, func(events []Event) error {
		for _, e := range events {
			count[e.Kind]++
			switch used := e.Kind == EventAttached || e.Kind == EventDetached; {
			case e.Kind == EventWatching:
				claim(t)
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
	if err != nil || count[EventCreated] != 2*rounds() || count[EventOwner] < 2*rounds() ||
		count[EventAttached] != 1 {
		t.Errorf("%v, %v", err, count)
	}
	t.Log(count)
}
