package poll

import (
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/tunadm/tunadm/internal/files"
)

// Patient returns how long to wait for what takes this long on an idle machine: longer if programs wait for processors.
func Patient(idle time.Duration) time.Duration {
	return time.Duration(float64(idle) * slowdown())
}

// slowdown is at least 1, and at most slowest. It is read once, so that all waits of a run are consistent.
var slowdown = sync.OnceValue(func() float64 {
	text, _ := files.Read("/proc/loadavg")
	return slowdownOf(string(text), runtime.NumCPU())
})

// slowdownOf returns the slowdown for the text of /proc/loadavg. With a load of a few for each processor, each program
// still gets its turn soon enough.
func slowdownOf(loadavg string, processors int) float64 {
	const few, slowest = 4, 2
	first, _, _ := strings.Cut(loadavg, " ")
	load, err := strconv.ParseFloat(first, 64)
	if err != nil {
		return 1
	}
	return min(max(load/float64(few*processors), 1), slowest)
}
