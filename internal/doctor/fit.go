package doctor

import (
	"os"
	"slices"
	"strings"

	"github.com/tunadm/tunadm/netcfg"
)

// fit adapts a fix to the network namespace and to the user who runs it. Sentences are not changed.
func (v *view) fit(mend string) string {
	parts := strings.Split(mend, " && ")
	rooted := false
	for i, part := range parts {
		first, _, _ := strings.Cut(part, " ")
		if first == "tunadm" {
			part = behindFlags(part)
		}
		if slices.Contains([]string{"ip", "sysctl", "tunadm"}, first) && !strings.Contains(part, " --netns ") {
			part = inside(v.Netns) + part
		}
		parts[i] = part
		rooted = rooted || slices.Contains([]string{"ip", "sysctl", "usermod", "printf", "mkdir", "rm", "mount", "modprobe"}, first) || first == "tunadm" && !strings.HasPrefix(part, "tunadm doctor ")
	}
	mend = strings.Join(parts, " && ")
	if self := v.namespace.Self(); rooted && self.ID.Number != 0 && !self.Admin {
		return "ask root for: " + mend
	}
	return mend
}

// inside returns the beginning of a command that runs in a network namespace, which is given as for --netns: a path, a name of
// ip-netns(8), or a PID.
func inside(netns string) string {
	named := func() bool {
		_, err := os.Lstat("/run/netns/" + netns)
		return err == nil
	}
	switch {
	case netns == "":
		return ""
	case strings.Contains(netns, "/"):
		return "nsenter --net=" + netcfg.Word(netns) + " "
	case strings.Trim(netns, "0123456789") == "" && !named():
		return "nsenter -t " + netns + " -n "
	case strings.HasPrefix(netns, "-"):
		return "nsenter --net=" + netcfg.Word("/run/netns/"+netns) + " "
	}
	return "ip netns exec " + netcfg.Word(netns) + " "
}

// behindFlags moves a name that begins with a hyphen behind the flags, so it is not read as a flag. No name has a blank.
func behindFlags(line string) string {
	words := strings.SplitN(line, " ", 4)
	named := len(words) > 2 && words[1] != "apply" && !(words[1] == "add" && words[2] == "--mode")
	if !named || !strings.HasPrefix(strings.TrimLeft(words[2], "$'"), "-") {
		return line
	}
	if len(words) == 4 && strings.HasPrefix(words[3], "--") {
		return strings.Join([]string{words[0], words[1], words[3], "--", words[2]}, " ")
	}
	return strings.Join(slices.Insert(words, 2, "--"), " ")
}
