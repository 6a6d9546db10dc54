package packet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"unsafe"

	"golang.org/x/sys/unix"
)

// framed is a packet as it stands on a stream.
func framed(packet []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(packet))), packet...)
}

// readAll takes all packets out of a stream.
func readAll(r io.Reader) (packets [][]byte, err error) {
	for frames := newFrameReader(r); ; {
		packet, err := frames.Next()
		if err == nil && packet == nil {
			err = frames.fill()
		}
		if err != nil {
			return packets, err
		}
		if packet != nil {
			packets = append(packets, bytes.Clone(packet))
		}
	}
}

// split is what the format says, written as simply as can be.
func split(stream []byte) (packets [][]byte, err error) {
	for len(stream) > 0 {
		if len(stream) < 2 {
			return packets, errCutFrame
		}
		n := int(stream[0])<<8 | int(stream[1])
		if n == 0 {
			return packets, errEmptyFrame
		}
		if len(stream) < 2+n {
			return packets, errCutFrame
		}
		packets, stream = append(packets, stream[2:2+n]), stream[2+n:]
	}
	return packets, io.EOF
}

// FuzzFrames compares the reader with split, however the bytes come, and lets the writer write what was read.
func FuzzFrames(f *testing.F) {
	f.Add(append(framed([]byte("packet")), framed([]byte{1})...), uint16(4))
	f.Add([]byte{0, 0}, uint16(1))
	f.Add([]byte{0, 2, 1}, uint16(7))
	f.Add([]byte{9}, uint16(0))
	f.Fuzz(func(t *testing.T, stream []byte, chunk uint16) {
		want, wantErr := split(stream)
		got, err := readAll(&chunks{stream, int(chunk) + 1})
		if !errors.Is(err, wantErr) || len(got) != len(want) {
			t.Fatalf("%d packets, %v; want %d, %v", len(got), err, len(want), wantErr)
		}
		var again bytes.Buffer
		w := newFrameWriter()
		for i := range got {
			if !bytes.Equal(got[i], want[i]) {
				t.Fatalf("packet %d is another one", i)
			}
			room := w.room()
			if room == nil {
				if err := w.Flush(&again); err != nil {
					t.Fatal(err)
				}
				room = w.room()
			}
			w.took(copy(room, got[i]))
		}
		if err := w.Flush(&again); err != nil || !bytes.HasPrefix(stream, again.Bytes()) {
			t.Fatalf("what is written is not what was read: %v", err)
		}
	})
}

// TestFramesWrapAround sends as many long packets as turn the reader's buffer over.
func TestFramesWrapAround(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789abcde"), frameMax/15)
	stream := bytes.Repeat(append(framed(long), framed(long[:1400])...), 20)
	want, _ := split(stream)
	for _, most := range []int{1401, 65536, 1 << 20} {
		got, err := readAll(&chunks{stream, most})
		if err != io.EOF || !slices.EqualFunc(got, want, bytes.Equal) {
			t.Errorf("%d bytes a read: %d packets, %v", most, len(got), err)
		}
	}
}

// chunks gives at most so many bytes a read.
type chunks struct {
	rest []byte
	most int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), c.most)], c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// TestFrames looks at the bounds: 1 byte and 65535, a byte at a time, data that come with the error, and a writer that
// counts.
func TestFrames(t *testing.T) {
	long := bytes.Repeat([]byte{7}, frameMax)
	stream := append(framed(long), framed([]byte{1})...)
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(stream), "bytes": iotest.OneByteReader(bytes.NewReader(stream)),
		"with EOF": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		got, err := readAll(r)
		if err != io.EOF || len(got) != 2 || len(got[0]) != frameMax || len(got[1]) != 1 {
			t.Errorf("%s: %d packets, %v", name, len(got), err)
		}
	}
	w, out := newFrameWriter(), &writes{}
	for range 3 {
		w.took(copy(w.room(), "packet"))
	}
	if err := w.Flush(out); err != nil || out.n != 1 || out.String() != "\x00\x06packet\x00\x06packet\x00\x06packet" {
		t.Errorf("%d writes of %q, %v", out.n, out.String(), err)
	}
	if err := w.Flush(out); err != nil || out.n != 1 {
		t.Errorf("nothing was written as well, %v", err)
	}
	for w.room() != nil {
		w.took(copy(w.room(), long))
	}
	if err := w.Flush(nil); err != nil || w.room() == nil {
		t.Errorf("thrown away: %v", err)
	}
}

// writes counts them.
type writes struct {
	bytes.Buffer
	n int
}

func (w *writes) Write(p []byte) (int, error) {
	w.n++
	return w.Buffer.Write(p)
}

// TestFramesAreNoGarbage counts what is allocated for a packet.
func TestFramesAreNoGarbage(t *testing.T) {
	stream := bytes.Repeat(framed(make([]byte, 1400)), 100)
	source := bytes.NewReader(nil)
	r, w := newFrameReader(source), newFrameWriter()
	if n := testing.AllocsPerRun(100, func() {
		source.Reset(stream)
		for r.fill() == nil {
			for p, err := r.Next(); p != nil && err == nil; p, err = r.Next() {
				if w.room() == nil {
					_ = w.Flush(io.Discard)
				}
				w.took(copy(w.room(), p))
			}
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// A reluctant writer accepts some bytes at a time.
type reluctant struct {
	bytes.Buffer
	most  int
	tired bool
}

func (r *reluctant) Write(p []byte) (int, error) {
	if r.tired = !r.tired; r.tired {
		return 0, unix.EAGAIN
	}
	return r.Buffer.Write(p[:min(len(p), r.most)])
}

// TestFramesInParts writes to a socket that accepts a part of a packet at a time.
func TestFramesInParts(t *testing.T) {
	w, out := newFrameWriter(), &reluctant{most: 7}
	var want []byte
	for range 3 {
		w.took(copy(w.room(), "a packet"))
		want = append(want, framed([]byte("a packet"))...)
		for tries := 0; w.waits(); tries++ {
			if err := w.Flush(out); err != nil && err != unix.EAGAIN || tries > len(want) {
				t.Fatalf("after %d of %d bytes: %v", out.Len(), len(want), err)
			}
		}
	}
	if !bytes.Equal(out.Bytes(), want) {
		t.Errorf("%q", out.Bytes())
	}
}

// A lengths reader notes how many bytes are asked for.
type lengths struct {
	io.Reader
	asked []int
}

func (l *lengths) Read(p []byte) (int, error) {
	l.asked = append(l.asked, len(p))
	return l.Reader.Read(p)
}

// TestLongFramesAreNotCopied checks that a reader asks for no more than the rest of a long packet and the next length,
// and that short packets are still read together.
func TestLongFramesAreNotCopied(t *testing.T) {
	long := framed(bytes.Repeat([]byte{7}, 60000))
	stream := append(bytes.Repeat(long, 3), bytes.Repeat(framed([]byte("short")), 1000)...)
	r := &lengths{Reader: &chunks{stream, 50000}}
	got, err := readAll(r)
	if err != io.EOF || len(got) != 1003 {
		t.Fatalf("%d packets, %v", len(got), err)
	}
	if want := []int{streamRoom, 10004, 60002, 10002}; !slices.Equal(r.asked[:4], want) {
		t.Errorf("asked for %d bytes, want %d first", r.asked, want)
	}
	if len(r.asked) > 9 {
		t.Errorf("%d reads", len(r.asked))
	}
}

// TestBuffersAreAligned checks that the first packet in each buffer lies at the beginning of a cache line.
func TestBuffersAreAligned(t *testing.T) {
	reader := newFrameReader(bytes.NewReader(framed([]byte("a packet"))))
	if err := reader.fill(); err != nil {
		t.Fatal(err)
	}
	read, err := reader.Next()
	if err != nil {
		t.Fatal(err)
	}
	for name, packet := range map[string][]byte{
		"a stream's reader":    read,
		"a stream's writer":    newFrameWriter().room(),
		"a splitter":           newSplitter(nil, true, false).scratch[offloadRoom:],
		"a datagrams' reader":  newDatagramReader(&datagrams{Tunnel: &Tunnel{}}).buffer[offloadRoom:],
		"a buffer at offset 0": aligned(100, 0),
	} {
		if past := uintptr(unsafe.Pointer(&packet[0])) % cacheLine; past != 0 {
			t.Errorf("%s: %d bytes past", name, past)
		}
	}
	if b := aligned(100, 7); len(b) != 100 || cap(b) != 100 {
		t.Errorf("%d bytes of %d", len(b), cap(b))
	}
}
