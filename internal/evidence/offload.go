package evidence

import (
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/driver"
)

// LeavesChecksums reports whether a TUN/TAP device leaves the checksums of packets of this host to the attached
// program.
func (h *Host) LeavesChecksums(name string) bool {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(s)
	return driver.SendsOffloads(s, name)
}
