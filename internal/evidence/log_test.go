package evidence

import (
	"os"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/nstest"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

// TestBothLogsAgree reads the kernel's log by /dev/kmsg and by syslog(2).
func TestBothLogsAgree(t *testing.T) {
	if f, err := os.Open("/dev/kmsg"); err != nil {
		t.Logf("there is no log to compare with: %v", err)
		return
	} else if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	type entry struct {
		at   time.Duration
		text string
	}
	known := map[entry]bool{}
	for at, text := range kernelLog() {
		known[entry{at, text}] = true
	}
	lines, same := 0, 0
	for at, text := range oldLog {
		lines++
		if known[entry{at, text}] {
			same++
		}
	}
	if lines == 0 && len(known) > 0 || same*2 < lines { // lines may come in between
		t.Errorf("of %d lines of syslog(2), %d are those of /dev/kmsg, which has %d", lines, same, len(known))
	}
	t.Logf("%d lines, %d the same", lines, same)
}
