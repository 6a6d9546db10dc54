package doctor

import (
	"strings"

	"github.com/tunadm/tunadm/internal/fix"
)

// lasting adds a comment to a fix that sets sysctls: how long they last, and whether they are those of all devices.
func lasting(f fix.Fix) fix.Fix {
	if len(f.Commands) == 0 || f.After != "" {
		return f
	}
	all := ""
	for _, c := range f.Commands {
		if len(c.Words) != 3 || c.Words[0] != "sysctl" {
			return f
		}
		if !strings.Contains(c.Words[2], ".conf.") || strings.Contains(c.Words[2], ".conf.all.") {
			all = "all devices; "
		}
	}
	f.After = "  # " + all + "until the next boot: add it to a file of /etc/sysctl.d"
	return f
}
