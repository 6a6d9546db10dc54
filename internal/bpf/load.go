package bpf

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A Map is memory that programs and this process share.
type Map struct {
	fd   int
	size int
}

// pointer returns an address as the kernel takes it: in 64 bits. The caller keeps the object alive.
func pointer[T any](to *T) uint64 { return uint64(uintptr(unsafe.Pointer(to))) }

// command calls bpf(2) with a part of union bpf_attr.
func command[T any](number uintptr, attributes *T) (int, error) {
	for {
		n, _, errno := unix.Syscall(unix.SYS_BPF, number, uintptr(unsafe.Pointer(attributes)),
			unsafe.Sizeof(*attributes))
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR, unix.EAGAIN: // the verifier gives way to a signal
		default:
			return -1, errno
		}
	}
}

// newMap creates a map.
func newMap(kind, keySize, valueSize, entries uint32) (*Map, error) {
	fd, err := command(unix.BPF_MAP_CREATE, &struct{ kind, key, value, entries, flags uint32 }{
		kind, keySize, valueSize, entries, 0})
	if err != nil {
		return nil, os.NewSyscallError("bpf BPF_MAP_CREATE", err)
	}
	return &Map{fd, int(entries)}, nil
}

// NewNumber returns a map with one number of 64 bits, for Program.MapValue.
func NewNumber() (*Map, error) { return newMap(unix.BPF_MAP_TYPE_ARRAY, 4, 8, 1) }

// Number reads the number of NewNumber.
func (m *Map) Number() (n uint64, err error) {
	var key uint32
	_, err = command(unix.BPF_MAP_LOOKUP_ELEM, &struct {
		fd                uint32
		_                 uint32
		key, value, flags uint64
	}{fd: uint32(m.fd), key: pointer(&key), value: pointer(&n)})
	runtime.KeepAlive(&key)
	runtime.KeepAlive(&n)
	return n, os.NewSyscallError("bpf BPF_MAP_LOOKUP_ELEM", err)
}

// Close frees the map as soon as no program uses it.
func (m *Map) Close() { unix.Close(m.fd) }

// license is that of the programs. The kernel has helpers only for programs under the GPL or compatible licenses.
const license = "Dual MIT/GPL"

// An attachment is a program that runs at a tracepoint until it is closed.
type attachment int

// Close detaches the program.
func (a attachment) Close() { unix.Close(int(a)) }

// Attach loads a program and runs it at a raw tracepoint until the result is closed. If the kernel refuses the program,
// the error contains the verifier's last words.
func (p *Program) Attach(tracepoint string) (interface{ Close() }, error) {
	code, err := p.assemble()
	if err != nil {
		return nil, fmt.Errorf("assemble a BPF program: %w", err)
	}
	program, err := load(code)
	if err != nil {
		return nil, err
	}
	defer unix.Close(program)
	name := append([]byte(tracepoint), 0)
	fd, err := command(unix.BPF_RAW_TRACEPOINT_OPEN, &struct {
		name    uint64
		program uint32
		_       uint32
	}{name: pointer(&name[0]), program: uint32(program)})
	runtime.KeepAlive(name)
	if err != nil {
		return nil, fmt.Errorf("tracepoint %s: %w", tracepoint, os.NewSyscallError("bpf BPF_RAW_TRACEPOINT_OPEN", err))
	}
	return attachment(fd), nil
}

// load loads a program for raw tracepoints. If that fails, it tries again with the verifier's log.
func load(code []byte) (int, error) {
	terms := append([]byte(license), 0)
	attributes := struct {
		kind, count       uint32
		code, license     uint64
		logLevel, logSize uint32
		log               uint64
	}{kind: unix.BPF_PROG_TYPE_RAW_TRACEPOINT, count: uint32(len(code) / 8),
		code: pointer(&code[0]), license: pointer(&terms[0])}
	fd, err := command(unix.BPF_PROG_LOAD, &attributes)
	if err == nil {
		return fd, nil
	}
	log := make([]byte, 1<<18)
	attributes.logLevel, attributes.logSize, attributes.log = 1, uint32(len(log)), pointer(&log[0])
	if fd, again := command(unix.BPF_PROG_LOAD, &attributes); again == nil {
		return fd, nil
	}
	runtime.KeepAlive(code)
	runtime.KeepAlive(terms)
	text, _, _ := bytes.Cut(log, []byte{0})
	return -1, fmt.Errorf("%w%s", os.NewSyscallError("bpf BPF_PROG_LOAD", err), lastWords(string(text)))
}

// lastWords returns the last lines of the verifier's log, without its statistics.
func lastWords(log string) string {
	const most = 3
	var words []string
	for line := range strings.Lines(log) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "processed ") {
			words = append(words, line)
		}
	}
	if len(words) == 0 {
		return ""
	}
	return ": " + strings.Join(words[max(0, len(words)-most):], "; ")
}
