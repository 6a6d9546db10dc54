package packet

import (
	"golang.org/x/sys/unix"
)

// gathered is where packets go. room returns the room for the next packet, or nil for no more; took gets the length of
// the packet in bytes.
type gathered interface {
	room() []byte
	took(n int)
}

// gather reads all waiting packets of a queue, as long as there is room.
func gather(queue int, into gathered) error {
	for room := into.room(); room != nil; room = into.room() {
		n, err := readNow(queue, room)
		switch {
		case err == unix.EAGAIN:
			return nil
		case err != nil:
			return err
		case n > 0:
			into.took(n)
		}
	}
	return nil
}
