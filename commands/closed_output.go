package commands

import (
	"errors"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/holders"
	"github.com/tunadm/tunadm/netcfg"
)

// unheard returns an error if the kernel is to choose the name of a new device, and nobody can read the name, because
// standard output was closed when the process started: the device would be left behind without a user.
func unheard(out io.Writer, changes []netcfg.Change) error {
	for _, c := range changes {
		if strings.Contains(c.Name, "%d") && wasClosed(out) {
			return &exitError{code: exitFailed, err: errors.New("standard output is closed"),
				fix: fix.Sentence("redirect it; >/dev/null or --quiet discards the name")}
		}
	}
	return nil
}

// wasClosed reports whether standard output was closed when the process started. The Go runtime then opens /dev/null in
// its place, for reading and writing. The streams of a daemon are such a file, too, but all of them are the same one. A
// caller that passes such a file as this stream alone, as Python's DEVNULL, cannot be told from the runtime.
func wasClosed(out io.Writer) bool {
	f, ok := plainly(out).(*os.File)
	if !ok {
		return false
	}
	fd, self := int(f.Fd()), os.Getpid()
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil || flags&unix.O_ACCMODE != unix.O_RDWR {
		return false
	}
	found, err := f.Stat()
	null, missing := os.Stat(os.DevNull)
	if err != nil || missing != nil || !os.SameFile(found, null) {
		return false
	}
	shared := !holders.SameFile(self, fd, fd) // the kernel does not compare files
	for other := range 3 {
		shared = shared || other != fd && holders.SameFile(self, fd, other)
	}
	return !shared
}
