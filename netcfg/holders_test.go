package netcfg

import (
	"cmp"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
)

// attacks is how often an attack is met: TUNADM_TEST_ROUNDS, or a few times.
func attacks(few int) int {
	n, _ := strconv.Atoi(os.Getenv("TUNADM_TEST_ROUNDS"))
	return cmp.Or(n, few)
}

// endsUnderAttack runs a look that an attacker may block for ever, and returns how long it took. It fails if the look
// ends only because the attackers are stopped, forty times later than it should end on an idle machine.
func endsUnderAttack(t *testing.T, stop []func(), look func()) (took time.Duration) {
	t.Helper()
	limit := nstest.Patience(40 * time.Until(holders.End()))
	watchdog := time.AfterFunc(limit, func() {
		for _, f := range stop {
			f()
		}
	})
	start := time.Now()
	look()
	if !watchdog.Stop() {
		t.Fatalf("it did not end within %v, before the attackers were stopped", limit)
	}
	return time.Since(start)
}

// TestNoProcessBlocksTheSearchForHolders has files put in the place of queues, which block whoever closes or describes
// them.
func TestNoProcessBlocksTheSearchForHolders(t *testing.T) {
	nstest.NeedReal(t)
	for _, attack := range []string{"flush", "epoll", "flood"} {
		t.Run(attack, func(t *testing.T) {
			if _, err := os.Stat("/dev/fuse"); err != nil && attack != "flood" {
				nstest.Skip(t, "requires /dev/fuse")
			}
			ns := open(t)
			add(t, ns, Spec{Name: "tun7", Mode: link.TUN})
			holder, _ := startAttacker(t, "hold", "tun7")
			const renewed = 25 // attackers, so that the examiners that they hold up do not fill the memory
			found, cut, slowest := 0, 0, time.Duration(0)
			for left := attacks(4); left > 0; left -= renewed {
				var stop []func()
				for range 4 {
					_, s := startAttacker(t, attack, "tun7")
					stop = append(stop, s)
				}
				for range min(left, renewed) {
					ns.search = holders.Search{} // as another run of the program
					took := endsUnderAttack(t, stop, func() {
						devices, err := ns.Devices("tun7")
						if err != nil {
							t.Fatal(err)
						}
						d := devices[0]
						switch i := slices.IndexFunc(d.Holders,
							func(h Holder) bool { return h.PID == holder && h.Command != "" }); {
						case d.sight == holders.Cut:
							cut++
						case i < 0 || d.Holders[i].Probable || slices.ContainsFunc(d.Holders, func(h Holder) bool {
							return h.PID != holder
						}):
							for _, h := range d.Holders {
								words, _ := os.ReadFile("/proc/" + strconv.Itoa(h.PID) + "/cmdline")
								t.Errorf("%+v %q", h, words)
							}
						default:
							found++
						}
					})
					slowest = max(slowest, took)
				}
				for _, f := range stop {
					f()
				}
			}
			t.Logf("found in %d rounds, cut short in %d; the slowest took %v", found, cut, slowest)
		})
	}
}

// TestAProgramThatComesAndGoesIsShownWholeOrNotAtAll lists a device beside a program that attaches for half a
// millisecond.
func TestAProgramThatComesAndGoesIsShownWholeOrNotAtAll(t *testing.T) {
	ns := open(t)
	add(t, ns, Spec{Name: "tun7", Mode: link.TUN})
	pid, _ := startAttacker(t, "blink", "tun7")
	seen, unseen := 0, 0
	for start := time.Now(); seen < attacks(20) && time.Since(start) < nstest.Patience(30*time.Second); {
		devices, err := ns.Devices("tun7")
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range devices[0].Holders {
			if h.PID != pid || h.Command == "" || h.User.Number != uint32(os.Geteuid()) || h.Queues != 1 || h.Probable {
				t.Errorf("%+v", h)
			}
			seen++
		}
		if devices[0].Unseen() != "" {
			unseen++
		}
	}
	if t.Logf("seen %d times, counted without a holder %d times", seen, unseen); seen == 0 {
		t.Error("it was never seen")
	}
}
