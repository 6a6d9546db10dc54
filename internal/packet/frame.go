package packet

import (
	"encoding/binary"
	"errors"
	"io"
)

// A frame on a stream is a packet as simpletun sends it: two bytes of length, in network order, and then the packet.
const (
	frameHead  = 2
	frameMax   = 1<<16 - 1 // bytes of the longest packet
	frameRoom  = frameHead + frameMax
	streamRoom = 2 * (frameRoom + 1) // bytes of a reader's buffer: a packet in it is written to the device where it lies
	batchRoom  = frameRoom + 32<<10  // bytes of a writer's buffer: 32 KiB or one packet in one go; more gains nothing, and is late on a slow way
)

var (
	errEmptyFrame = errors.New("a packet of length 0: this is not simpletun's format")
	errCutFrame   = errors.New("the stream ended within a packet")
)

// A frameReader takes packets out of a stream.
type frameReader struct {
	r          io.Reader
	buffer     []byte
	start, end int // of what is read and not taken
}

// newFrameReader reads from r.
func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: r, buffer: make([]byte, streamRoom)}
}

// Next takes a packet that is there as a whole, and nil if there is none: then it takes a fill. It is good until then.
func (f *frameReader) Next() ([]byte, error) {
	have := f.buffer[f.start:f.end]
	if len(have) < frameHead {
		return nil, nil
	}
	n := frameHead + int(binary.BigEndian.Uint16(have))
	switch {
	case n == frameHead:
		return nil, errEmptyFrame
	case n > len(have):
		return nil, nil
	}
	f.start += n
	return have[frameHead:n:n], nil
}

// begun says whether a part of a packet is there.
func (f *frameReader) begun() bool { return f.start < f.end }

// fill reads once, as much as is there. The end of the stream is io.EOF between two packets only.
func (f *frameReader) fill() error {
	if len(f.buffer)-f.start < frameRoom || f.start == f.end {
		f.start, f.end = 0, copy(f.buffer, f.buffer[f.start:f.end])
	}
	n, err := f.r.Read(f.buffer[f.end:])
	f.end += n
	switch {
	case n > 0:
		return nil // an error comes again
	case err == io.EOF && f.begun():
		return errCutFrame
	}
	return err
}

// A frameWriter gathers packets, and writes them to a stream in one go.
type frameWriter struct {
	buffer []byte
	n      int
}

// newFrameWriter has gathered nothing yet.
func newFrameWriter() *frameWriter { return &frameWriter{buffer: make([]byte, batchRoom)} }

// room is where the next packet goes, of whatever length; nil: it takes a Flush first. It is a byte longer than a frame can be, so that a
// longer packet shows.
func (f *frameWriter) room() []byte {
	if len(f.buffer)-f.n <= frameRoom {
		return nil
	}
	return f.buffer[f.n+frameHead : f.n+frameRoom+1]
}

// took says that a packet of n bytes, 1 or more, is in the room. One that is longer than a frame is dropped: a tap of the largest MTU
// has such, with a VLAN tag.
func (f *frameWriter) took(n int) {
	if n > frameMax {
		return
	}
	binary.BigEndian.PutUint16(f.buffer[f.n:], uint16(n))
	f.n += frameHead + n
}

// Flush writes what was gathered. With a nil w it is thrown away.
func (f *frameWriter) Flush(w io.Writer) (err error) {
	if w != nil && f.n > 0 {
		_, err = w.Write(f.buffer[:f.n])
	}
	f.n = 0
	return err
}
