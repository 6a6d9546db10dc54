package bpf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/tunadm/tunadm/internal/files"
)

// Types describes the types of the kernel, or of a module on top of the kernel's, as BTF: a list of records that refer
// to each other by their number, and the strings that they use. A name is there once.
type Types struct {
	strings []byte
	records []byte
	at      []uint32 // offsets of the records; that of number 0 (void) is not used
}

// The kinds of types, by their codes in <linux/btf.h>.
const (
	kindPointer  = 2
	kindArray    = 3
	kindStruct   = 4
	kindUnion    = 5
	kindEnum     = 6
	kindTypedef  = 8
	kindVolatile = 9
	kindConst    = 10
	kindRestrict = 11
	kindFunction = 13
	kindTypeTag  = 18
	kindEnum64   = 19
)

// tails returns the length of what follows the 12 bytes of a record.
func tail(kind, entries int) (int, error) {
	switch kind {
	case 1, 14, 17: // integer, variable, declaration tag
		return 4, nil
	case kindPointer, 7, kindTypedef, kindVolatile, kindConst, kindRestrict, 12, 16, kindTypeTag:
		return 0, nil
	case kindArray:
		return 12, nil
	case kindStruct, kindUnion, 15, kindEnum64: // 15: data section
		return 12 * entries, nil
	case kindEnum, kindFunction:
		return 8 * entries, nil
	}
	return 0, fmt.Errorf("unknown kind %d", kind)
}

// directory has the descriptions of the kernel and its modules.
const directory = "/sys/kernel/btf/"

// KernelTypes reads the description of the kernel, and those of the named modules that are loaded.
func KernelTypes(modules ...string) (*Types, error) {
	t := &Types{at: []uint32{0}}
	for _, name := range append([]string{"vmlinux"}, modules...) {
		text, err := files.Read(directory + name)
		if errors.Is(err, fs.ErrNotExist) && name != "vmlinux" {
			continue
		}
		if err == nil {
			err = t.parse(text)
		}
		if err != nil {
			return nil, fmt.Errorf("read the kernel's types: %w", err)
		}
	}
	return t, nil
}

// parse appends a file. The numbers and the strings of a module continue those of the kernel.
func (t *Types) parse(text []byte) error {
	const header, magic = 24, 0xeb9f
	native := binary.NativeEndian
	if len(text) < header || native.Uint16(text) != magic {
		return errors.New("not BTF of this machine")
	}
	part := func(at int) []byte {
		start, length := int(native.Uint32(text[4:]))+int(native.Uint32(text[at:])), int(native.Uint32(text[at+4:]))
		if start < 0 || length < 0 || start+length > len(text) {
			return nil
		}
		return text[start : start+length]
	}
	at := len(t.records)
	t.records = append(t.records, part(8)...)
	t.strings = append(t.strings, part(16)...)
	for at < len(t.records) {
		if at+12 > len(t.records) {
			return errors.New("a type is cut off")
		}
		info := native.Uint32(t.records[at+4:])
		more, err := tail(int(info>>24&0x1f), int(info&0xffff))
		if err != nil {
			return err
		}
		t.at = append(t.at, uint32(at))
		at += 12 + more
	}
	if at != len(t.records) {
		return errors.New("a type is cut off")
	}
	return nil
}

// A record is one type.
type record struct {
	name    uint32 // an offset in the strings
	kind    int
	entries int
	bits    bool   // the offsets of the members contain the widths of bit fields
	detail  uint32 // the size, or the number of the type that it refers to
	tail    []byte
}

func (t *Types) record(number uint32) record {
	if number == 0 || int(number) >= len(t.at) {
		return record{}
	}
	b := t.records[t.at[number]:]
	info := binary.NativeEndian.Uint32(b[4:])
	return record{binary.NativeEndian.Uint32(b), int(info >> 24 & 0x1f), int(info & 0xffff), info>>31 != 0,
		binary.NativeEndian.Uint32(b[8:]), b[12:]}
}

// word returns a number in an entry of a record.
func (r record) word(entry, size, at int) uint32 {
	return binary.NativeEndian.Uint32(r.tail[entry*size+at:])
}

// plain follows a type through its other names and its qualifiers.
func (t *Types) plain(number uint32) record {
	for {
		r := t.record(number)
		switch r.kind {
		case kindTypedef, kindVolatile, kindConst, kindRestrict, kindTypeTag:
			number = r.detail
		default:
			return r
		}
	}
}

// named returns the types of some kinds that have a name.
func (t *Types) named(name string, kinds ...int) (found []record) {
	for rest, base := t.strings, 0; ; {
		n := bytes.Index(rest, append([]byte(name), 0))
		if n < 0 {
			return found
		}
		if at := base + n; at > 0 && t.strings[at-1] == 0 {
			for number := 1; number < len(t.at); number++ {
				if binary.NativeEndian.Uint32(t.records[t.at[number]:]) != uint32(at) {
					continue
				}
				r := t.record(uint32(number))
				for _, kind := range kinds {
					if r.kind == kind {
						found = append(found, r)
					}
				}
			}
		}
		base += n + 1
		rest = t.strings[base:]
	}
}

func (t *Types) text(at uint32) string {
	if int(at) >= len(t.strings) {
		return ""
	}
	text, _, _ := bytes.Cut(t.strings[at:], []byte{0})
	return string(text)
}

// Offset returns the offset in bytes of a member of a struct. The path leads through members that are structs
// themselves; members of unnamed structs are found without a path.
func (t *Types) Offset(structure string, path ...string) (int, error) {
	for _, r := range t.named(structure, kindStruct) {
		if offset, ok := t.offset(r, path); ok {
			return offset, nil
		}
	}
	return 0, fmt.Errorf("this kernel has no %v in struct %s", path, structure)
}

// offset looks for a path in a struct or union.
func (t *Types) offset(r record, path []string) (bytes int, found bool) {
	const size, bitsPerByte = 12, 8
	if r.kind != kindStruct && r.kind != kindUnion {
		return 0, false
	}
	for n := range r.entries {
		name, at := t.text(r.word(n, size, 0)), r.word(n, size, 8)
		if r.bits {
			at &= 0xffffff
		}
		rest := path
		switch name {
		case path[0]:
			rest = path[1:]
		case "":
		default:
			continue
		}
		if len(rest) == 0 {
			return int(at / bitsPerByte), at%bitsPerByte == 0
		}
		if inner, ok := t.offset(t.plain(r.word(n, size, 4)), rest); ok {
			return int(at/bitsPerByte) + inner, true
		}
	}
	return 0, false
}

// Enumeration returns the names of an enumeration by their values.
func (t *Types) Enumeration(name string) map[uint32]string {
	names := map[uint32]string{}
	for _, r := range t.named(name, kindEnum, kindEnum64) {
		size := 8
		if r.kind == kindEnum64 {
			size = 12
		}
		for n := range r.entries {
			names[r.word(n, size, 4)] = t.text(r.word(n, size, 0))
		}
	}
	return names
}

// Arguments returns the number of arguments that a tracepoint passes to a raw program; 0: there is no such tracepoint.
func (t *Types) Arguments(tracepoint string) int {
	for _, r := range t.named("btf_trace_"+tracepoint, kindTypedef) {
		if to := t.plain(r.detail); to.kind == kindPointer {
			return t.plain(to.detail).entries - 1 // the first one is the tracepoint's own
		}
	}
	return 0
}

// Size returns the size of a struct in bytes; 0: there is none.
func (t *Types) Size(structure string) int {
	for _, r := range t.named(structure, kindStruct) {
		return int(r.detail)
	}
	return 0
}
