package trace

import (
	"encoding/binary"
	"strconv"

	"github.com/tunadm/tunadm/internal/bpf"
)

// A kind is where in the kernel a packet was seen.
type kind uint32

const (
	dropped  kind = iota // the kernel discards it
	sent                 // the kernel hands it to the driver of the device
	received             // the driver hands it to the kernel
)

// tracepoint returns the name of the kernel's tracepoint.
func (k kind) tracepoint() string {
	return [...]string{"kfree_skb", "net_dev_start_xmit", "netif_receive_skb"}[k]
}

// The layout of a record. The fields have the byte order of the machine, except the protocol.
const (
	atTime     = 0  // 64 bits, nanoseconds of CLOCK_MONOTONIC
	atCaller   = 8  // 64 bits, the address of the code that discards the packet
	atKind     = 16 // 32 bits
	atReason   = 20 // 32 bits, of enum skb_drop_reason
	atDevice   = 24 // 32 bits, the index of the packet's device; 0: none in the namespace
	atIncoming = 28 // 32 bits, the index of the device through which it arrived; 0: it is from this host
	atRoute    = 32 // 32 bits, the index of the device of its route; 0: not routed yet
	atLength   = 36 // 32 bits, the bytes from atData on
	atTail     = 40 // 32 bits, where the first part of the packet ends in the buffer
	atCopied   = 44 // 32 bits, the length of the copy
	atData     = 48 // 64 bits, the address of what the present layer sees
	atHead     = 56 // 64 bits, the address of the buffer
	atMAC      = 64 // 16 bits, the place of the Ethernet header in the buffer; 65535: none
	atNetwork  = 66 // 16 bits, the place of the IP header; 0: none
	atProtocol = 68 // 16 bits, the Ethernet type
	atMark     = 72 // 32 bits
	atCopy     = 80 // the packet from the Ethernet header on, or from the IP header on

	copyMax    = 160 // bytes
	macMax     = 32  // bytes, an Ethernet header with VLAN tags
	recordSize = atCopy + copyMax
)

// The variables of a program, by their distance from the upper end of its stack. Each has 8 bytes.
const (
	varPointer  = -8
	varNumber   = -16
	varDevice   = -24
	varRoute    = -32
	varIncoming = -40
	varHere     = -48 // not 0: the packet is in the network namespace
)

// The registers of a program that keep their values: the arguments of the tracepoint, the packet, and two for objects
// on the way, of which the first is the record in the end.
const (
	arguments = bpf.R6
	packet    = bpf.R7
	record    = bpf.R8
	object    = bpf.R9
	inner     = bpf.R8
)

// A builder assembles the program for one tracepoint.
type builder struct {
	bpf.Program
	*layout
	target target
	labels int
}

// label returns a label that was not used yet.
func (b *builder) label() string {
	b.labels++
	return strconv.Itoa(b.labels)
}

// copy has the kernel copy a member of an object to memory. It copies zeros if the address is not valid.
func (b *builder) copy(to bpf.Register, at, size int, object bpf.Register, offset int) {
	b.Register(bpf.Set, bpf.R3, object)
	b.Constant(bpf.Add, bpf.R3, int32(offset))
	b.Register(bpf.Set, bpf.R1, to)
	b.Constant(bpf.Add, bpf.R1, int32(at))
	b.Constant(bpf.Set, bpf.R2, int32(size))
	b.Call(bpf.ProbeReadKernel)
}

// follow loads the pointer that is a member of an object, and jumps to a label if it is nil.
func (b *builder) follow(target, object bpf.Register, offset int, otherwise string) {
	b.copy(bpf.R10, varPointer, 8, object, offset)
	b.Load(bpf.Double, target, bpf.R10, varPointer)
	b.Jump(bpf.Equal, target, 0, otherwise)
}

// here notes that an object with a pointer to its network namespace is in the traced one, and jumps to a label if not.
func (b *builder) here(object bpf.Register, offset int, otherwise string) {
	b.follow(inner, object, offset, otherwise)
	b.copy(bpf.R10, varNumber, 4, inner, b.netNumber)
	b.Load(bpf.Word, bpf.R1, bpf.R10, varNumber)
	b.JumpWord(bpf.NotEqual, bpf.R1, b.target.namespace, otherwise)
	b.StoreConstant(bpf.Double, bpf.R10, varHere, 1)
}

// device stores the index of a device of the namespace in a variable.
func (b *builder) device(variable int, otherwise string) {
	b.here(object, b.devNet, otherwise)
	b.copy(bpf.R10, variable, 4, object, b.devIndex)
}

// accept jumps to a label if a variable is the index of the device or of its bridge.
func (b *builder) accept(variable int, label string) {
	b.Load(bpf.Word, bpf.R1, bpf.R10, variable)
	b.JumpWord(bpf.Equal, bpf.R1, uint32(b.target.Index), label)
	if b.target.Master != 0 {
		b.JumpWord(bpf.Equal, bpf.R1, uint32(b.target.Master), label)
	}
}

// build assembles the program for a tracepoint. It has two ends: it writes a record to the ring if the packet is one of
// the device, and adds 1 to lost if the ring is full.
func (t *Trace) build(k kind) *bpf.Program {
	b := &builder{layout: t.layout, target: t.target}
	b.Register(bpf.Set, arguments, bpf.R1)
	b.Load(bpf.Double, packet, arguments, 0)
	for _, variable := range []int{varDevice, varRoute, varIncoming, varHere} {
		b.StoreConstant(bpf.Double, bpf.R10, variable, 0)
	}
	switch k {
	case dropped:
		b.filterDrops()
	case sent:
		b.Load(bpf.Double, object, arguments, 8)
		b.device(varDevice, "end")
		b.Load(bpf.Word, bpf.R1, bpf.R10, varDevice)
		b.JumpWord(bpf.NotEqual, bpf.R1, uint32(b.target.Index), "end")
	case received:
		b.follow(object, packet, b.packetDevice, "end")
		b.device(varDevice, "end")
		b.Load(bpf.Word, bpf.R1, bpf.R10, varDevice)
		for _, index := range b.target.Beside {
			b.JumpWord(bpf.Equal, bpf.R1, uint32(index), "take")
		}
		b.JumpWord(bpf.NotEqual, bpf.R1, uint32(b.target.Index), "end")
	}
	b.Label("take")
	b.Map(bpf.R1, t.ring.Map)
	b.Constant(bpf.Set, bpf.R2, recordSize)
	b.Constant(bpf.Set, bpf.R3, 0)
	b.Call(bpf.RingbufReserve)
	b.Jump(bpf.Equal, bpf.R0, 0, "lost")
	b.Register(bpf.Set, record, bpf.R0)
	b.fill(k)
	b.Register(bpf.Set, bpf.R1, record)
	b.Constant(bpf.Set, bpf.R2, 0)
	b.Call(bpf.RingbufSubmit)
	b.Label("end")
	b.Constant(bpf.Set, bpf.R0, 0)
	b.Exit()
	b.Label("lost")
	b.MapValue(bpf.R1, t.lost)
	b.Constant(bpf.Set, bpf.R2, 1)
	b.AtomicAdd(bpf.R1, bpf.R2)
	b.Jump(bpf.Always, bpf.R0, 0, "end")
	return &b.Program
}

// filterDrops jumps to "end" unless the packet is one of the device, by its own device, the device of its route or the
// device through which it arrived, or for another reason than those that are no loss.
func (b *builder) filterDrops() {
	b.Load(bpf.Double, bpf.R1, arguments, 16)
	for _, reason := range b.noise {
		b.JumpWord(bpf.Equal, bpf.R1, reason, "end")
	}
	noDevice, noRoute, noSocket, noReceiver := b.label(), b.label(), b.label(), b.label()
	b.copy(bpf.R10, varIncoming, 4, packet, b.packetIncoming)
	b.follow(object, packet, b.packetDevice, noDevice)
	b.device(varDevice, noDevice)
	b.Label(noDevice)
	b.follow(object, packet, b.packetRoute, noRoute)
	b.Constant(bpf.And, object, -2) // the lowest bit says that no reference is held
	b.follow(object, object, b.routeDevice, noRoute)
	b.device(varRoute, noRoute)
	b.Label(noRoute)
	b.follow(object, packet, b.packetSocket, noSocket)
	b.here(object, b.socketNet, noSocket)
	if b.tunFile {
		b.writer(noSocket)
	}
	b.Label(noSocket)
	if b.receiver {
		b.Load(bpf.Double, object, arguments, 24)
		b.Jump(bpf.Equal, object, 0, noReceiver)
		b.here(object, b.socketNet, noReceiver)
	}
	b.Label(noReceiver)
	b.accept(varDevice, "take")
	b.accept(varRoute, "take")
	b.Load(bpf.Word, bpf.R1, bpf.R10, varHere)
	b.Jump(bpf.Equal, bpf.R1, 0, "end")
	b.accept(varIncoming, "take")
	b.Jump(bpf.Always, bpf.R0, 0, "end")
}

// writer finds the device of a packet that a program writes and the driver refuses before the packet has a device: by
// the packet's socket, which is the driver's own.
func (b *builder) writer(otherwise string) {
	b.Load(bpf.Word, bpf.R1, bpf.R10, varDevice)
	b.JumpWord(bpf.NotEqual, bpf.R1, 0, otherwise)
	b.follow(inner, object, b.socketProtocol, otherwise)
	b.copy(bpf.R10, varNumber, 4, inner, b.protocolName)
	b.Load(bpf.Word, bpf.R1, bpf.R10, varNumber)
	b.JumpWord(bpf.NotEqual, bpf.R1, binary.NativeEndian.Uint32([]byte("tun\x00")), otherwise)
	b.Constant(bpf.Sub, object, int32(b.fileSocket))
	b.follow(object, object, b.fileTun, otherwise)
	b.follow(object, object, b.tunDevice, otherwise)
	b.device(varDevice, otherwise)
	b.Load(bpf.Word, bpf.R1, bpf.R10, varDevice)
	b.Store(bpf.Word, bpf.R10, varIncoming, bpf.R1)
}

// fill writes the record.
func (b *builder) fill(k kind) {
	b.Call(bpf.KtimeGetNS)
	b.Store(bpf.Double, record, atTime, bpf.R0)
	b.StoreConstant(bpf.Word, record, atKind, int32(k))
	b.StoreConstant(bpf.Word, record, atReason, 0)
	b.StoreConstant(bpf.Double, record, atCaller, 0)
	if k == dropped {
		b.Load(bpf.Double, bpf.R1, arguments, 8)
		b.Store(bpf.Double, record, atCaller, bpf.R1)
		b.Load(bpf.Double, bpf.R1, arguments, 16)
		b.Store(bpf.Word, record, atReason, bpf.R1)
	}
	for _, index := range []struct{ variable, at int }{
		{varDevice, atDevice}, {varRoute, atRoute}, {varIncoming, atIncoming},
	} {
		b.Load(bpf.Word, bpf.R1, bpf.R10, index.variable)
		b.Store(bpf.Word, record, index.at, bpf.R1)
	}
	for _, member := range []struct{ at, size, offset int }{
		{atLength, 4, b.packetLength}, {atTail, 4, b.packetTail}, {atData, 8, b.packetData}, {atHead, 8, b.packetHead},
		{atMAC, 2, b.packetMAC}, {atNetwork, 2, b.packetNetwork}, {atProtocol, 2, b.packetProtocol},
		{atMark, 4, b.packetMark},
	} {
		b.copy(record, member.at, member.size, packet, member.offset)
	}
	b.copyPacket()
}

// copyPacket copies the first bytes of the packet.
func (b *builder) copyPacket() {
	noMAC, placed, notNegative, fits := b.label(), b.label(), b.label(), b.label()
	b.Load(bpf.Half, bpf.R1, record, atNetwork)
	b.Load(bpf.Half, bpf.R2, record, atMAC)
	b.Load(bpf.Double, bpf.R4, record, atHead)
	b.Register(bpf.Set, object, bpf.R1)
	b.JumpRegister(bpf.Greater, bpf.R2, bpf.R1, noMAC)
	b.Register(bpf.Set, bpf.R3, bpf.R1)
	b.Register(bpf.Sub, bpf.R3, bpf.R2)
	b.Jump(bpf.Greater, bpf.R3, macMax, noMAC)
	b.Register(bpf.Set, object, bpf.R2)
	b.Label(noMAC)
	b.Jump(bpf.NotEqual, bpf.R1, 0, placed)
	b.Load(bpf.Double, object, record, atData)
	b.Register(bpf.Sub, object, bpf.R4)
	b.Label(placed)
	b.Load(bpf.Word, bpf.R2, record, atTail)
	b.Register(bpf.Sub, bpf.R2, object)
	b.Jump(bpf.GreaterSigned, bpf.R2, 0, notNegative)
	b.Constant(bpf.Set, bpf.R2, 0)
	b.Label(notNegative)
	b.Jump(bpf.SmallerOrEqual, bpf.R2, copyMax, fits)
	b.Constant(bpf.Set, bpf.R2, copyMax)
	b.Label(fits)
	b.Store(bpf.Word, record, atCopied, bpf.R2)
	b.Register(bpf.Set, bpf.R3, bpf.R4)
	b.Register(bpf.Add, bpf.R3, object)
	b.Register(bpf.Set, bpf.R1, record)
	b.Constant(bpf.Add, bpf.R1, atCopy)
	b.Call(bpf.ProbeReadKernel)
}
