package commands

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tunadm/tunadm/internal/nstest"
)

// chatter is the program "chatter FRAME NAME...": it attaches to taps, prints "ready", and writes one frame, in
// hexadecimal digits, to one after the other for a minute. It also reads a tap whose name is followed by "+".
func chatter(args []string) int {
	frame, err := hex.DecodeString(args[0])
	must(err)
	var queues []io.Writer
	for _, name := range args[1:] {
		name, reads := strings.CutSuffix(name, "+")
		f, err := nstest.Attach(name, 0x1002)
		must(err)
		if reads {
			go func() { _, _ = io.Copy(io.Discard, f) }()
		}
		queues = append(queues, f)
	}
	fmt.Println("ready")
	const pause = 5 * time.Millisecond
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(pause) {
		for _, q := range queues {
			_, _ = q.Write(frame) // a bridge port may still be disabled
			time.Sleep(pause)
		}
	}
	return 0
}
