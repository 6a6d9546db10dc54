package doctor

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestTheSearchForTheDriverIsBounded searches this process, which has the driver open more often than the limits allow.
func TestTheSearchForTheDriverIsBounded(t *testing.T) {
	nstest.NeedDriver(t)
	f, err := os.OpenFile(nstest.Driver, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const copies = 5
	for range copies {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
	}
	for name, c := range map[string]struct {
		search fileSearch
		least  int
		cut    bool
	}{
		"enough":      {fileSearch{descriptors: descriptorsMost, files: driverFilesMost}, copies + 1, false},
		"files":       {fileSearch{descriptors: descriptorsMost, files: copies - 1}, copies - 1, true},
		"descriptors": {fileSearch{descriptors: 3, files: driverFilesMost}, 0, true},
	} {
		v := &view{search: c.search}
		for range 2 { // the second time it is known
			found, err := v.search.of(os.Getpid())
			if err != nil || len(found) < c.least || c.cut && len(found) > copies || v.search.cut != c.cut {
				t.Errorf("%s: %d files, cut %v, error %v", name, len(found), v.search.cut, err)
			}
		}
		if first, again := v.notSearched(), v.notSearched(); (len(first) == 1) != c.cut || again != nil {
			t.Errorf("%s: got %v, then %v", name, first, again)
		}
	}
}
