package bpf

import (
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The bits of the length in the header of a record.
const (
	recordBusy      = 1 << 31
	recordDiscarded = 1 << 30
	recordHeader    = 8
)

// A Ring is a buffer from which records of programs are read. The kernel maps its data twice in a row, so no record is
// in two parts.
type Ring struct {
	*Map
	consumer []byte // a page that this process writes: how far it has read
	producer []byte // a page with how far programs have written, and the data
}

// NewRing returns a ring for a number of bytes: a power of 2, and a multiple of the page size.
func NewRing(size int) (*Ring, error) {
	m, err := newMap(unix.BPF_MAP_TYPE_RINGBUF, 0, 0, uint32(size))
	if err != nil {
		return nil, err
	}
	page := os.Getpagesize()
	r := &Ring{Map: m}
	if r.consumer, err = unix.Mmap(m.fd, 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err == nil {
		r.producer, err = unix.Mmap(m.fd, int64(page), page+2*size, unix.PROT_READ, unix.MAP_SHARED)
	}
	if err != nil {
		r.Close()
		return nil, os.NewSyscallError("mmap", err)
	}
	return r, nil
}

// Close frees the ring. Records that Next returned must not be used any more.
func (r *Ring) Close() {
	for _, memory := range [][]byte{r.consumer, r.producer} {
		if memory != nil {
			_ = unix.Munmap(memory)
		}
	}
	r.Map.Close()
}

// FD returns the descriptor, which poll(2) reports as readable when there is a record.
func (r *Ring) FD() int { return r.fd }

// Next calls use with the next record, which is valid until use returns. It returns false if there is no record.
func (r *Ring) Next(use func(record []byte)) bool {
	read := (*uint64)(unsafe.Pointer(&r.consumer[0]))
	written := (*uint64)(unsafe.Pointer(&r.producer[0]))
	data := r.producer[len(r.producer)-2*r.size:]
	for at := atomic.LoadUint64(read); at < atomic.LoadUint64(written); {
		start := int(at & uint64(r.size-1))
		header := atomic.LoadUint32((*uint32)(unsafe.Pointer(&data[start])))
		if header&recordBusy != 0 {
			return false
		}
		length := int(header &^ recordDiscarded)
		at += uint64((recordHeader + length + 7) &^ 7)
		if header&recordDiscarded == 0 {
			use(data[start+recordHeader:][:length])
		}
		atomic.StoreUint64(read, at)
		if header&recordDiscarded == 0 {
			return true
		}
	}
	return false
}
