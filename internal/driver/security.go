package driver

import (
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// permitted reports whether the modes of the driver's node and of the directories above it let the invoking user open
// it.
func permitted() bool {
	groups, _ := os.Getgroups()
	groups = append(groups, os.Getegid())
	for path, bits := range map[string]uint32{"/": 1, "/dev": 1, "/dev/net": 1, Path: 6} {
		var st unix.Stat_t
		if unix.Stat(path, &st) != nil {
			return false
		}
		mode := uint32(st.Mode)
		switch {
		case int(st.Uid) == os.Geteuid():
			mode >>= 6
		case slices.Contains(groups, int(st.Gid)):
			mode >>= 3
		}
		if mode&bits != bits {
			return false
		}
	}
	return true
}

// securityModule explains why a node cannot be opened although its mode permits it.
func securityModule() (detail string, how fix.Fix) {
	label, _ := files.Read("/proc/thread-self/attr/current")
	context := strings.Trim(string(label), "\x00\n ")
	profile, mode, confined := strings.Cut(context, " (")
	switch {
	case confined && strings.HasPrefix(mode, "enforce"):
		return "a security module denies it although the mode permits it: the AppArmor profile " +
				words.Escape(profile),
			fix.Sentence("permit /dev/net/tun rw in this profile, and load it again: apparmor_parser(8)")
	case strings.Count(context, ":") >= 2:
		return "a security module denies it although the mode permits it: SELinux, for the context " +
				words.Escape(context),
			fix.Sentence("permit it: ausearch -m avc -ts recent shows the denial, and audit2allow(1) makes a rule")
	}
	return "a security module, such as Landlock, denies it although the mode permits it",
		fix.Sentence("permit /dev/net/tun in the sandbox in which this program runs")
}
