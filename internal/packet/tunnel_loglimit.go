package packet

import (
	"fmt"
	"sync"
	"time"
)

// Under a flood so many lines are logged at once, and then one in each interval. Peers cause the lines, and may be
// strangers.
const (
	logBurst    = 50
	logInterval = time.Second
)

// A logLimit leaves out lines that come too fast, and logs their number as soon as there is room.
type logLimit struct {
	mu      sync.Mutex
	room    int
	most    int
	since   time.Time // of the last line that got new room
	leftOut int
}

func newLogLimit(burst int) *logLimit { return &logLimit{room: burst, most: burst, since: time.Now()} }

// of returns a log that shares the limit.
func (l *logLimit) of(log func(string)) func(string) {
	return func(text string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if fresh := int(time.Since(l.since) / logInterval); fresh > 0 {
			l.room, l.since = min(l.most, l.room+fresh), time.Now()
		}
		if l.room == 0 {
			l.leftOut++
			return
		}
		if l.leftOut > 0 {
			log(fmt.Sprintf("%d lines were left out: too many at once", l.leftOut))
			l.leftOut = 0
		}
		l.room--
		log(text)
	}
}
