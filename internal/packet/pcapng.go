package packet

import (
	"encoding/binary"
	"io"
	"time"

	"github.com/tunadm/tunadm/internal/link"
)

// A Writer writes packets as pcapng, each with one write, so that the reader of a pipe gets it at once.
type Writer struct {
	to     io.Writer
	buffer []byte
}

// The blocks and options of pcapng, and its link types.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6

	optionName       = 2 // of the interface
	optionResolution = 9
	optionProgram    = 4 // of the section

	linkEthernet = 1
	linkRaw      = 101
)

// NewWriter writes the head of a file of packets of a device, with the name of the writing program.
func NewWriter(to io.Writer, device string, mode link.Mode, program string) (*Writer, error) {
	w := &Writer{to: to}
	section := binary.LittleEndian.AppendUint32(nil, 0x1a2b3c4d)
	section = append(section, 1, 0, 0, 0)                            // version 1.0
	section = append(section, "\xff\xff\xff\xff\xff\xff\xff\xff"...) // of unknown length
	section = append(appendOption(section, optionProgram, program), 0, 0, 0, 0)
	w.block(blockSection, section)
	kind := uint16(linkRaw)
	if mode == link.TAP {
		kind = linkEthernet
	}
	about := binary.LittleEndian.AppendUint16(nil, kind)
	about = append(about, 0, 0, 0, 0, 0, 0) // no limit to the length of packets
	about = appendOption(about, optionName, device)
	about = appendOption(about, optionResolution, "\x09") // nanoseconds
	w.block(blockInterface, append(about, 0, 0, 0, 0))
	return w, w.flush()
}

// Write writes one packet, with the time at which it came.
func (w *Writer) Write(p []byte, at time.Time) error {
	ns := uint64(at.UnixNano())
	head := binary.LittleEndian.AppendUint32(make([]byte, 4, 20+len(p)), uint32(ns>>32))
	head = binary.LittleEndian.AppendUint32(head, uint32(ns))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(p)))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(p)))
	w.block(blockPacket, pad(append(head, p...)))
	return w.flush()
}

// block appends a block to the buffer: its length comes before and after its body.
func (w *Writer) block(kind uint32, body []byte) {
	length := uint32(12 + len(body))
	w.buffer = binary.LittleEndian.AppendUint32(w.buffer, kind)
	w.buffer = binary.LittleEndian.AppendUint32(w.buffer, length)
	w.buffer = append(w.buffer, body...)
	w.buffer = binary.LittleEndian.AppendUint32(w.buffer, length)
}

func (w *Writer) flush() error {
	_, err := w.to.Write(w.buffer)
	w.buffer = w.buffer[:0]
	return err
}

func appendOption(to []byte, code uint16, value string) []byte {
	to = binary.LittleEndian.AppendUint16(to, code)
	to = binary.LittleEndian.AppendUint16(to, uint16(len(value)))
	return pad(append(to, value...))
}

// pad appends zeros up to a multiple of four bytes.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
