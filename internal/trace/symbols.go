package trace

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/files"
)

// symbols has the functions of the kernel by their addresses.
type symbols struct {
	text  []byte
	lines []symbol // in the order of their addresses
}

// A symbol is a line of /proc/kallsyms.
type symbol struct {
	address uint64
	at      int // the place of the name
}

// readSymbols reads /proc/kallsyms. The kernel hides the addresses from users without CAP_SYSLOG: no function is known
// then.
func readSymbols() *symbols {
	text, _ := files.Read("/proc/kallsyms")
	return newSymbols(text)
}

func newSymbols(text []byte) *symbols {
	s := &symbols{text: text, lines: make([]symbol, 0, bytes.Count(text, []byte("\n")))}
	for at := 0; at < len(text); {
		end := at + bytes.IndexByte(text[at:], '\n')
		if end < at {
			end = len(text)
		}
		if hex := bytes.IndexByte(text[at:end], ' '); hex > 0 && isCode(text[at:end], hex) {
			if address, err := strconv.ParseUint(string(text[at:at+hex]), 16, 64); err == nil && address != 0 {
				s.lines = append(s.lines, symbol{address, at + hex + len(" t ")})
			}
		}
		at = end + 1
	}
	slices.SortFunc(s.lines, func(a, b symbol) int {
		switch {
		case a.address < b.address:
			return -1
		case a.address > b.address:
			return 1
		}
		return a.at - b.at
	})
	return s
}

// isCode reports whether a line has a function: the letter after the address is t, T, w or W.
func isCode(line []byte, hex int) bool {
	return len(line) > hex+3 && strings.IndexByte("tTwW", line[hex+1]) >= 0
}

// function returns the name of the function that contains an address, without what the compiler appended; "": not
// known.
func (s *symbols) function(address uint64) string {
	n, _ := slices.BinarySearchFunc(s.lines, address+1, func(line symbol, to uint64) int {
		if line.address < to {
			return -1
		}
		return 1
	})
	if n == 0 {
		return ""
	}
	name := s.text[s.lines[n-1].at:]
	name, _, _ = bytes.Cut(name, []byte("\n"))
	name, _, _ = bytes.Cut(name, []byte("\t")) // a module
	name, _, _ = bytes.Cut(name, []byte("."))
	return string(bytes.TrimPrefix(name, []byte("__pfx_")))
}
