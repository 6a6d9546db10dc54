package bpf

import (
	"bytes"
	"encoding/binary"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/poll"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

// TestAssemble compares instructions with their encoding of <linux/bpf.h>: code, registers, offset, constant.
func TestAssemble(t *testing.T) {
	if bigEndian() {
		nstest.Skip(t, "the encodings are those of little-endian machines")
	}
	for name, c := range map[string]struct {
		program func(p *Program)
		want    []byte
	}{
		"set a constant": {func(p *Program) { p.Constant(Set, R1, -2) },
			[]byte{0xb7, 1, 0, 0, 0xfe, 0xff, 0xff, 0xff}},
		"copy a register": {func(p *Program) { p.Register(Set, R3, R10) }, []byte{0xbf, 0xa3, 0, 0, 0, 0, 0, 0}},
		"load a word":     {func(p *Program) { p.Load(Word, R2, R6, 16) }, []byte{0x61, 0x62, 16, 0, 0, 0, 0, 0}},
		"load 64 bits": {func(p *Program) { p.Load(Double, R2, R10, -8) },
			[]byte{0x79, 0xa2, 0xf8, 0xff, 0, 0, 0, 0}},
		"store a half": {func(p *Program) { p.Store(Half, R8, 2, R1) }, []byte{0x6b, 0x18, 2, 0, 0, 0, 0, 0}},
		"store a constant": {func(p *Program) { p.StoreConstant(Byte, R8, 1, 5) },
			[]byte{0x72, 8, 1, 0, 5, 0, 0, 0}},
		"add to memory": {func(p *Program) { p.AtomicAdd(R1, R2) }, []byte{0xdb, 0x21, 0, 0, 0, 0, 0, 0}},
		"call and exit": {func(p *Program) { p.Call(KtimeGetNS); p.Exit() },
			[]byte{0x85, 0, 0, 0, 5, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0}},
		"jump forth": {func(p *Program) { p.Jump(Equal, R1, 7, "end"); p.Exit(); p.Label("end"); p.Exit() },
			[]byte{0x15, 1, 1, 0, 7, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0}},
		"jump back": {func(p *Program) { p.Label("start"); p.JumpWord(NotEqual, R1, 1<<31, "start") },
			[]byte{0x56, 1, 0xff, 0xff, 0, 0, 0, 0x80}},
		"compare registers": {func(p *Program) { p.JumpRegister(Greater, R1, R2, "end"); p.Label("end") },
			[]byte{0x2d, 0x21, 0, 0, 0, 0, 0, 0}},
	} {
		var p Program
		c.program(&p)
		if got, err := p.assemble(); err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: % x, want % x; %v", name, got, c.want, err)
		}
	}
}

// TestAssembleRefusesMistakes assembles programs that cannot be meant.
func TestAssembleRefusesMistakes(t *testing.T) {
	for want, program := range map[string]func(p *Program){
		`no label "nowhere"`:                       func(p *Program) { p.Jump(Always, R0, 0, "nowhere") },
		`label "twice" is set twice`:               func(p *Program) { p.Label("twice"); p.Label("twice") },
		"offset 40000 does not fit an instruction": func(p *Program) { p.Load(Word, R1, R2, 40000) },
	} {
		var p Program
		program(&p)
		if _, err := p.assemble(); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// kernelTypes returns the description of the running kernel.
func kernelTypes(t *testing.T) *Types {
	t.Helper()
	if _, err := os.Stat(directory + "vmlinux"); err != nil {
		nstest.Skip(t, "the kernel does not describe its types")
	}
	types, err := KernelTypes("tun", "no-such-module")
	if err != nil {
		t.Fatal(err)
	}
	return types
}

// TestTypesOfTheKernel looks for types whose layout never changes, and for such as do.
func TestTypesOfTheKernel(t *testing.T) {
	types := kernelTypes(t)
	for name, c := range map[string]struct {
		structure string
		path      []string
		want      int // -1: any but 0
	}{
		"first member":              {"list_head", []string{"next"}, 0},
		"second member":             {"iphdr", []string{"daddr"}, 16},
		"in an unnamed union":       {"iphdr", []string{"addrs", "saddr"}, 12},
		"in a union of a union":     {"in6_addr", []string{"in6_u", "u6_addr8"}, 0},
		"unnamed struct in a union": {"sk_buff", []string{"dev"}, -1},
		"through a typedef":         {"net_device", []string{"nd_net", "net"}, -1},
		"through structs":           {"sock", []string{"__sk_common", "skc_net", "net"}, -1},
	} {
		got, err := types.Offset(c.structure, c.path...)
		if err != nil || c.want >= 0 && got != c.want || c.want < 0 && got <= 0 {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
	for _, path := range [][]string{{"daddr", "more"}, {"none"}, {"ihl"}} {
		if path[0] == "ihl" && !bigEndian() {
			continue // the first bits of a byte are compared like the byte
		}
		if got, err := types.Offset("iphdr", path...); err == nil {
			t.Errorf("iphdr has %v at %d", path, got)
		}
	}
	if got := types.Size("iphdr"); got != 20 {
		t.Errorf("iphdr has %d bytes", got)
	}
	if got := types.Enumeration("tcp_ca_state")[4]; got != "TCP_CA_Loss" {
		t.Errorf("state 4 is %q", got)
	}
	if got := types.Arguments("sched_switch"); got < 3 {
		t.Errorf("sched_switch has %d arguments", got)
	}
	if got := types.Arguments("no_such_tracepoint"); got != 0 {
		t.Errorf("a tracepoint that does not exist has %d arguments", got)
	}
}

// TestTypesRefuseGarbage reads files that are cut off.
func TestTypesRefuseGarbage(t *testing.T) {
	text, err := os.ReadFile(directory + "vmlinux")
	if err != nil {
		nstest.Skip(t, "the kernel does not describe its types")
	}
	for name, b := range map[string][]byte{
		"empty": nil, "short": text[:20], "no magic": make([]byte, 64), "cut off": text[:64],
	} {
		types := &Types{at: []uint32{0}}
		if err := types.parse(b); err == nil && len(types.at) > 1 {
			t.Errorf("%s: %d types", name, len(types.at))
		}
	}
}

// attach attaches a program, or skips the test if this process may not.
func attach(t *testing.T, p *Program, tracepoint string) {
	t.Helper()
	probe, err := p.Attach(tracepoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(probe.Close)
}

// TestRing has the kernel write records at each switch of a process, more than the ring holds, and reads them.
func TestRing(t *testing.T) {
	nstest.NeedReal(t)
	const size = 16
	ring, err := NewRing(os.Getpagesize())
	if err != nil {
		t.Fatal(err)
	}
	defer ring.Close()
	lost, err := NewNumber()
	if err != nil {
		t.Fatal(err)
	}
	defer lost.Close()
	var p Program
	p.Map(R1, ring.Map)
	p.Constant(Set, R2, size)
	p.Constant(Set, R3, 0)
	p.Call(RingbufReserve)
	p.Jump(Equal, R0, 0, "lost")
	p.StoreConstant(Double, R0, 0, 4711)
	p.StoreConstant(Double, R0, 8, -1)
	p.Register(Set, R1, R0)
	p.Constant(Set, R2, 0)
	p.Call(RingbufSubmit)
	p.Label("end")
	p.Constant(Set, R0, 0)
	p.Exit()
	p.Label("lost")
	p.MapValue(R1, lost)
	p.Constant(Set, R2, 1)
	p.AtomicAdd(R1, R2)
	p.Jump(Always, R0, 0, "end")
	attach(t, &p, "sched_switch")

	end := time.Now().Add(nstest.Patience(10 * time.Second))
	for n := uint64(0); n == 0; n, err = lost.Number() {
		if err != nil || time.Now().After(end) {
			t.Fatalf("the ring is not full: %v", err)
		}
		time.Sleep(time.Millisecond)
	}
	for read := 0; read < 10*os.Getpagesize()/(size+recordHeader); {
		if !poll.Input(ring.FD(), end) {
			t.Fatalf("%d records", read)
		}
		for ring.Next(func(b []byte) {
			if len(b) != size || binary.NativeEndian.Uint64(b) != 4711 || binary.NativeEndian.Uint64(b[8:]) != 1<<64-1 {
				t.Fatalf("% x", b)
			}
		}) {
			read++
		}
	}
}

// TestTheVerifierExplains attaches programs that the kernel refuses.
func TestTheVerifierExplains(t *testing.T) {
	nstest.NeedReal(t)
	var p Program
	p.Load(Double, R0, R3, 0)
	p.Exit()
	if _, err := p.Attach("sched_switch"); err == nil || !strings.Contains(err.Error(), "R3") {
		t.Errorf("an uninitialized register: %v", err)
	}
	var q Program
	q.Constant(Set, R0, 0)
	q.Exit()
	if _, err := q.Attach("no_such_tracepoint"); err == nil || !strings.Contains(err.Error(), "no_such_tracepoint") {
		t.Errorf("no such tracepoint: %v", err)
	}
}
