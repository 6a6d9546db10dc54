package bpf

import (
	"bytes"
	"encoding/binary"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// A Loaded is a program that the kernel runs.
type Loaded struct {
	Name string // "": none
	code []byte
	info programInfo // within an object of the heap, which does not move while the kernel writes to it
}

// programInfo is the beginning of struct bpf_prog_info.
type programInfo struct {
	_        [5]uint32 // type, ID, tag, length of the machine code
	codeSize uint32
	_        uint64
	code     uint64
	_        [3]uint64 // load time, user, maps
	name     [16]byte
	_        [3]uint64 // device, license, namespace of the device
}

// Inspect reads a program by its ID, which requires CAP_SYS_ADMIN.
func Inspect(id uint32) (*Loaded, error) {
	fd, err := command(unix.BPF_PROG_GET_FD_BY_ID, &struct{ id, next, flags uint32 }{id: id})
	if err != nil {
		return nil, os.NewSyscallError("bpf BPF_PROG_GET_FD_BY_ID", err)
	}
	defer unix.Close(fd)
	p := &Loaded{}
	if err := p.describe(fd); err != nil {
		return nil, err
	}
	p.Name = string(bytes.TrimRight(p.info.name[:], "\x00"))
	if p.info.codeSize == 0 {
		return p, nil
	}
	code := make([]byte, p.info.codeSize)
	p.info = programInfo{codeSize: uint32(len(code)), code: pointer(&code[0])}
	err = p.describe(fd)
	runtime.KeepAlive(code)
	if p.info.code != 0 { // otherwise the kernel hides the instructions
		p.code = code
	}
	return p, err
}

// describe reads what the kernel tells of the program.
func (p *Loaded) describe(fd int) error {
	_, err := command(unix.BPF_OBJ_GET_INFO_BY_FD, &struct {
		fd, size uint32
		info     uint64
	}{uint32(fd), uint32(binary.Size(p.info)), pointer(&p.info)})
	runtime.KeepAlive(p)
	return os.NewSyscallError("bpf BPF_OBJ_GET_INFO_BY_FD", err)
}

// Returns returns the constants that the program may return. It is not complete if the program also returns values that
// it computes, or if its instructions are not known.
func (p *Loaded) Returns() (constants []int32, complete bool) {
	const size, wide = 8, 0x18 // bytes; BPF_LD | BPF_DW | BPF_IMM has two instructions
	complete = len(p.code) > 0
	for code := p.code; len(code) >= size; code = code[size:] {
		operation, target := code[0], code[1]&15
		switch class := operation & 7; {
		case operation == wide:
			complete = complete && target != 0
			if len(code) >= 2*size {
				code = code[size:]
			}
		case target == 0 && (operation == 0xB7 || operation == 0xB4): // a constant
			constants = append(constants, int32(binary.NativeEndian.Uint32(code[4:])))
		case operation == call, target == 0 && (class == 1 || class == 4 || class == 7): // loaded or computed
			complete = false
		}
	}
	return constants, complete
}
