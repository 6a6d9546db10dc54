package doctor

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// inOtherNamespace finds a program in another network namespace, such as that of a container, that is attached to a
// device with the name of the idle one: it is not the same device.
func (v *view) inOtherNamespace() []Finding {
	if !v.asked() || v.names == nil {
		return nil
	}
	name, here := v.device.Name, files.Inode("/proc/thread-self/ns/net")
	for _, entry := range v.names("/proc") {
		pid, err := strconv.Atoi(entry)
		if err != nil {
			continue
		}
		directory := "/proc/" + entry
		there := files.Inode(directory + "/ns/net")
		if there == 0 || there == here {
			continue
		}
		if devices, _ := v.search.of(pid); !slices.Contains(devices, name) {
			continue
		}
		comm, _ := v.file(directory + "/comm")
		return one(Warning, fmt.Sprintf("%s (pid %d) is attached to a %s of its own in another network namespace "+
			"(net:[%d])", words.Escape(strings.TrimSpace(string(comm))), pid, words.Escape(name), there),
			"a program finds and creates devices only in its own network namespace, such as that of its container",
			fix.Sentence("start the program in this network namespace (for a container: --network host), or "+
				"run the programs that require the device in that one: nsenter -t "+entry+" -n"))
	}
	return v.notSearched()
}
