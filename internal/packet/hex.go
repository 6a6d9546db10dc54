package packet

import "encoding/hex"

// hexWidth is the number of bytes on a line.
const hexWidth = 16

// AppendHex appends the bytes of a packet in hexadecimal and as printable characters, 16 on an indented line.
func AppendHex(to, p []byte) []byte {
	for at := 0; at < len(p); at += hexWidth {
		row := p[at:min(at+hexWidth, len(p))]
		to = append(to, "    "...)
		to = hex.AppendEncode(to, []byte{byte(at >> 16), byte(at >> 8), byte(at)}[1-min(at>>16, 1):])
		to = append(to, ' ')
		for i := range hexWidth {
			if i%8 == 0 {
				to = append(to, ' ')
			}
			if i < len(row) {
				to = append(hex.AppendEncode(to, row[i:i+1]), ' ')
			} else {
				to = append(to, "   "...)
			}
		}
		to = append(to, ' ')
		for _, b := range row {
			if b < ' ' || b > '~' {
				b = '.'
			}
			to = append(to, b)
		}
		to = append(to, '\n')
	}
	return to
}
