package packet

import (
	"encoding/binary"
	"errors"
	"io"
	"slices"
)

// A frame on a stream is a packet as simpletun sends it: two bytes of length, in network order, and then the packet.
const (
	frameHead = 2
	frameMax  = 1<<16 - 1 // bytes of the longest packet
	frameRoom = frameHead + frameMax
	// Bytes of a reader's buffer: a packet in it is written to the device where it lies.
	streamRoom = 2 * (frameRoom + 1)
	frameLong  = 16 << 10              // bytes of a packet that is better read alone than copied
	batchFull  = 32 << 10              // bytes after which a writer takes no further packet; more are no faster
	batchRoom  = frameRoom + batchFull // bytes of a writer's buffer
)

var (
	errEmptyFrame = errors.New("a packet of length 0: this is not simpletun's format")
	errCutFrame   = errors.New("the stream ended within a packet")
)

// A frameReader reads packets from a stream. The bytes before a packet may be overwritten, and offloadRoom bytes are
// before the first.
type frameReader struct {
	r          io.Reader
	buffer     []byte
	start, end int // of what is read and not taken
}

// newFrameReader returns a frameReader of r.
func newFrameReader(r io.Reader) *frameReader {
	return &frameReader{r: r, buffer: aligned(offloadRoom+streamRoom, offloadRoom+frameHead)}
}

// reset begins with another stream.
func (f *frameReader) reset(r io.Reader) { f.r, f.start, f.end = r, 0, 0 }

// Next returns a packet of which all bytes have been read, or nil: then call fill, which overwrites earlier packets.
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

// begun reports whether a part of a packet has been read.
func (f *frameReader) begun() bool { return f.start < f.end }

// fill reads once: all bytes that wait, or of a long packet the rest, and the length of the next one. So a stream of
// long packets is never copied within the buffer, of which it uses the beginning only. The error at the end of the
// stream is io.EOF only between two packets.
func (f *frameReader) fill() error {
	have := f.end - f.start
	if len(f.buffer)-f.start < frameRoom || have <= frameHead {
		f.start, f.end = offloadRoom, offloadRoom+copy(f.buffer[offloadRoom:], f.buffer[f.start:f.end])
	}
	most := len(f.buffer)
	if have >= frameHead {
		if n := int(binary.BigEndian.Uint16(f.buffer[f.start:])); n > frameLong {
			most = min(most, f.start+frameHead+n+frameHead)
		}
	}
	n, err := f.r.Read(f.buffer[f.end:most])
	f.end += n
	switch {
	case n > 0:
		return nil // an error comes again
	case err == io.EOF && f.begun():
		return errCutFrame
	}
	return err
}

// A frameWriter gathers packets, and writes them to a stream at once.
type frameWriter struct {
	buffer []byte
	n      int // bytes of packets
	sent   int // of them
}

// newFrameWriter returns an empty frameWriter.
func newFrameWriter() *frameWriter { return &frameWriter{buffer: aligned(batchRoom, frameHead)} }

// full reports whether the packets should be written before another one is read.
func (f *frameWriter) full() bool { return f.n >= batchFull }

// next returns the room for a packet of n bytes, which the caller fills.
func (f *frameWriter) next(n int) []byte {
	end := f.n + frameHead + n
	if end > len(f.buffer) { // small packets need more room than the segment that they were
		f.buffer = slices.Grow(f.buffer, end-len(f.buffer))
		f.buffer = f.buffer[:cap(f.buffer)]
	}
	room := f.buffer[f.n+frameHead : end]
	f.took(n)
	return room
}

// room returns the room for the next packet, of any length, or nil: then call Flush first. It is a byte longer than the
// longest frame, so that a longer packet shows.
func (f *frameWriter) room() []byte {
	if len(f.buffer)-f.n <= frameRoom {
		return nil
	}
	return f.buffer[f.n+frameHead : f.n+frameRoom+1]
}

// took takes the n bytes in the room as a packet; n is at least 1. A packet that is longer than a frame is dropped: a
// tap of the largest MTU sends such packets with a VLAN tag.
func (f *frameWriter) took(n int) {
	if n > frameMax {
		return
	}
	binary.BigEndian.PutUint16(f.buffer[f.n:], uint16(n))
	f.n += frameHead + n
}

// waits reports whether there are packets, or parts of them, that Flush has not written.
func (f *frameWriter) waits() bool { return f.n > 0 }

// Flush writes the gathered packets to w, or drops them if w is nil. After an error, it can be called again to write
// the rest.
func (f *frameWriter) Flush(w io.Writer) error {
	for w != nil && f.sent < f.n {
		n, err := w.Write(f.buffer[f.sent:f.n])
		f.sent += n
		if err != nil {
			return err
		}
	}
	f.n, f.sent = 0, 0
	return nil
}
