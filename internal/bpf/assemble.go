// Package bpf assembles eBPF programs, loads them into the kernel, and reads their output. It also reads the kernel's
// own description of its types (BTF), so that a program fits the kernel that runs.
package bpf

import (
	"encoding/binary"
	"fmt"
	"math"
)

// A Register holds 64 bits. The kernel checks its use: a call returns its result in R0, takes R1 to R5 and destroys
// them; R6 to R9 survive it. R10 is the upper end of the stack.
type Register uint8

// The registers.
const (
	R0 Register = iota
	R1
	R2
	R3
	R4
	R5
	R6
	R7
	R8
	R9
	R10
)

// A Helper is a function of the kernel that a program can call.
type Helper int32

// The helpers, by their numbers in <linux/bpf.h>.
const (
	KtimeGetNS      Helper = 5
	ProbeReadKernel Helper = 113 // Linux 5.5
	RingbufReserve  Helper = 131 // Linux 5.8
	RingbufSubmit   Helper = 132
)

// A Size is the width of an access to memory.
type Size uint8

// The sizes, by their codes in <linux/bpf_common.h>.
const (
	Word   Size = 0x00 // 32 bits
	Half   Size = 0x08 // 16 bits
	Byte   Size = 0x10
	Double Size = 0x18 // 64 bits
)

// An Operation is arithmetic on 64 bits, or a comparison that jumps.
type Operation uint8

// The operations, by their codes in <linux/bpf.h>.
const (
	Add Operation = 0x07
	Sub Operation = 0x17
	And Operation = 0x57
	Set Operation = 0xb7

	Always         Operation = 0x05
	Equal          Operation = 0x15
	Greater        Operation = 0x25
	NotEqual       Operation = 0x55
	GreaterSigned  Operation = 0x65
	SmallerOrEqual Operation = 0xb5
)

// The parts of operation codes that the assembler adds.
const (
	fromRegister  = 0x08
	onWords       = 1 // makes BPF_JMP32 of BPF_JMP
	loadMemory    = 0x61
	storeRegister = 0x63
	storeConstant = 0x62
	atomicAdd     = 0xdb
	loadWide      = 0x18
	call          = 0x85
	exit          = 0x95

	pseudoMap      = 1
	pseudoMapValue = 2
)

// An instruction is struct bpf_insn.
type instruction struct {
	code        uint8
	target      Register
	source      Register
	offset      int16
	constant    int32
	destination string // a jump's label; "": not a jump
}

// A Program is assembled by its methods, one instruction after the other. The zero Program is empty.
type Program struct {
	code   []instruction
	labels map[string]int
	wrong  error // the first operand that does not fit
}

func (p *Program) add(i instruction) { p.code = append(p.code, i) }

// Label names the next instruction, as the destination of jumps.
func (p *Program) Label(name string) {
	if p.labels == nil {
		p.labels = map[string]int{}
	}
	if _, twice := p.labels[name]; twice {
		p.wrong = fmt.Errorf("label %q is set twice", name)
	}
	p.labels[name] = len(p.code)
}

// Constant applies an operation to a register and a constant.
func (p *Program) Constant(op Operation, target Register, value int32) {
	p.add(instruction{code: uint8(op), target: target, constant: value})
}

// Register applies an operation to two registers.
func (p *Program) Register(op Operation, target, source Register) {
	p.add(instruction{code: uint8(op) | fromRegister, target: target, source: source})
}

// Jump continues at a label if the comparison of a register with a constant holds.
func (p *Program) Jump(op Operation, target Register, value int32, label string) {
	p.add(instruction{code: uint8(op), target: target, constant: value, destination: label})
}

// JumpWord does the same, and compares only the lower 32 bits.
func (p *Program) JumpWord(op Operation, target Register, value uint32, label string) {
	p.add(instruction{code: uint8(op) + onWords, target: target, constant: int32(value), destination: label})
}

// JumpRegister does the same as Jump with a second register.
func (p *Program) JumpRegister(op Operation, target, source Register, label string) {
	p.add(instruction{code: uint8(op) | fromRegister, target: target, source: source, destination: label})
}

// Load reads memory at an address that a register holds, plus an offset.
func (p *Program) Load(size Size, target, address Register, offset int) {
	p.add(instruction{code: loadMemory | uint8(size), target: target, source: address, offset: p.short(offset)})
}

// Store writes a register to memory.
func (p *Program) Store(size Size, address Register, offset int, source Register) {
	p.add(instruction{code: storeRegister | uint8(size), target: address, source: source, offset: p.short(offset)})
}

// StoreConstant writes a constant to memory.
func (p *Program) StoreConstant(size Size, address Register, offset int, value int32) {
	p.add(instruction{code: storeConstant | uint8(size), target: address, offset: p.short(offset), constant: value})
}

// AtomicAdd adds a register to 64 bits of memory.
func (p *Program) AtomicAdd(address Register, source Register) {
	p.add(instruction{code: atomicAdd, target: address, source: source})
}

// Map loads a reference to a map.
func (p *Program) Map(target Register, m *Map) { p.wide(target, pseudoMap, int32(m.fd)) }

// MapValue loads the address of the only value of an array.
func (p *Program) MapValue(target Register, m *Map) { p.wide(target, pseudoMapValue, int32(m.fd)) }

// wide loads a constant of 64 bits, which takes the room of two instructions.
func (p *Program) wide(target, kind Register, value int32) {
	p.add(instruction{code: loadWide, target: target, source: kind, constant: value})
	p.add(instruction{})
}

// Call calls a helper.
func (p *Program) Call(h Helper) { p.add(instruction{code: call, constant: int32(h)}) }

// Exit ends the program.
func (p *Program) Exit() { p.add(instruction{code: exit}) }

func (p *Program) short(offset int) int16 {
	if offset < math.MinInt16 || offset > math.MaxInt16 {
		p.wrong = fmt.Errorf("offset %d does not fit an instruction", offset)
	}
	return int16(offset)
}

// assemble returns the program as the kernel takes it. A jump to a label that was not set is an error.
func (p *Program) assemble() ([]byte, error) {
	text := make([]byte, 0, 8*len(p.code))
	for n, i := range p.code {
		if i.destination != "" {
			to, ok := p.labels[i.destination]
			if !ok {
				return nil, fmt.Errorf("no label %q", i.destination)
			}
			i.offset = p.short(to - n - 1)
		}
		registers := uint8(i.target) | uint8(i.source)<<4
		if bigEndian() {
			registers = uint8(i.target)<<4 | uint8(i.source)
		}
		text = append(text, i.code, registers)
		text = binary.NativeEndian.AppendUint16(text, uint16(i.offset))
		text = binary.NativeEndian.AppendUint32(text, uint32(i.constant))
	}
	return text, p.wrong
}

func bigEndian() bool { return binary.NativeEndian.Uint16([]byte{0, 1}) == 1 }
