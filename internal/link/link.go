// Package link has the values of network links that need no kernel: names, modes, MTUs, MAC addresses and aliases.
package link

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
)

// Limits of the kernel, in bytes.
const (
	NameMax  = 15    // a device name (IFNAMSIZ less the final NUL)
	aliasMax = 255   // an alias (IFALIASZ less one)
	MTUMin   = 68    // either mode
	MTUMax   = 65535 // of a tun; a tap's is less by the Ethernet header, see [Mode.mtuMax]
	MTUMinV6 = 1280  // below this MTU, the kernel silently removes IPv6 from the device
)

// Mode is the layer of a device: IP packets (tun) or Ethernet frames (tap). The zero Mode asks nothing.
type Mode uint8

// The modes, numbered as the kernel's IFF_TUN and IFF_TAP.
const (
	TUN Mode = 1
	TAP Mode = 2
)

// ParseMode parses "tun" or "tap".
func ParseMode(s string) (Mode, error) {
	switch s {
	case "tun":
		return TUN, nil
	case "tap":
		return TAP, nil
	}
	return 0, fmt.Errorf("%q is neither tun nor tap", s)
}

// ModeOf returns the mode with which a name begins, or zero.
func ModeOf(name string) Mode {
	switch {
	case strings.HasPrefix(name, "tun"):
		return TUN
	case strings.HasPrefix(name, "tap"):
		return TAP
	}
	return 0
}

func (m Mode) String() string {
	switch m {
	case TUN:
		return "tun"
	case TAP:
		return "tap"
	}
	return "unknown"
}

// mtuMax returns the largest MTU of a device in this mode, in bytes.
func (m Mode) mtuMax() int {
	if m == TAP {
		return MTUMax - 14
	}
	return MTUMax
}

// CheckMTU returns an error if no device in this mode can have that MTU (bytes). The zero Mode allows the MTUs of both.
func (m Mode) CheckMTU(mtu int) error {
	switch {
	case mtu < MTUMin:
		return fmt.Errorf("smaller than the minimum of %d", MTUMin)
	case mtu > m.mtuMax():
		if m == TAP {
			return fmt.Errorf("larger than %d, the maximum of a tap", m.mtuMax())
		}
		return fmt.Errorf("larger than the maximum of %d", m.mtuMax())
	}
	return nil
}

// CheckName returns an error if the kernel does not accept a device name. It follows the kernel's dev_valid_name.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("empty")
	case len(name) > NameMax:
		return fmt.Errorf("%d bytes, the maximum is %d", len(name), NameMax)
	case name == "." || name == "..":
		return fmt.Errorf("reserved by the file system")
	case name == "all" || name == "default":
		return fmt.Errorf("reserved: /proc/sys/net has an entry of that name")
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c == '/' || c == ':':
			return fmt.Errorf("%q is not allowed in a name", c)
		case c == ' ' || c >= '\t' && c <= '\r':
			return fmt.Errorf("white space is not allowed in a name")
		case c == 0xA0:
			return fmt.Errorf("byte 0xa0 is white space to the kernel")
		case c == 0:
			return fmt.Errorf("a zero byte is not allowed in a name")
		}
	}
	return nil
}

// IsTemplate reports whether the kernel chooses the number in a name: it contains a "%d".
func IsTemplate(name string) bool { return strings.Contains(name, "%") }

// CheckTemplate is [CheckName] for a new device, whose name may contain one "%d" for a number that the kernel chooses.
func CheckTemplate(name string) error {
	if IsTemplate(name) && (strings.Count(name, "%") != 1 || strings.Count(name, "%d") != 1) {
		return fmt.Errorf("%% is allowed only once, in %%d for the kernel's number")
	}
	return CheckName(name)
}

// MAC is a MAC address of 6 bytes, or nil.
type MAC net.HardwareAddr

// ParseMAC parses six bytes as net.ParseMAC does. It refuses the zero address and multicast addresses.
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	switch {
	case err != nil || len(hw) != 6:
		return nil, fmt.Errorf("%q is not a MAC address: six bytes like 02:00:5e:10:00:01", s)
	case hw[0]&1 != 0:
		return nil, fmt.Errorf("%s is a multicast address", hw)
	case MAC(hw).IsZero():
		return nil, fmt.Errorf("%s is the zero address", hw)
	}
	return MAC(hw), nil
}

// IsZero reports whether the address has only zeros. Only a bridge that has lost its last port has it.
func (m MAC) IsZero() bool { return !slices.ContainsFunc(m, func(b byte) bool { return b != 0 }) }

func (m MAC) String() string { return net.HardwareAddr(m).String() }

// RandomMAC returns a MAC address that begins with first.
func RandomMAC(first byte) MAC {
	mac := binary.BigEndian.AppendUint64(nil, rand.Uint64())[:6]
	mac[0] = first
	return mac
}

// CheckAlias returns an error if the kernel cannot store text as a device's alias.
func CheckAlias(text string) error {
	switch {
	case len(text) > aliasMax:
		return fmt.Errorf("%d bytes, the maximum is %d", len(text), aliasMax)
	case strings.ContainsRune(text, 0):
		return fmt.Errorf("a zero byte is not allowed in an alias")
	}
	return nil
}

// CompareNames orders names by their numbers: tap2 before tap10.
func CompareNames(a, b string) int {
	for a != "" && b != "" {
		x, restA := cutNumber(a)
		y, restB := cutNumber(b)
		if x != "" && y != "" {
			if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
				return c
			}
			a, b = restA, restB
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// cutNumber splits s after its leading digits, and removes leading zeros.
func cutNumber(s string) (digits, rest string) {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	digits = s[:n]
	if trimmed := strings.TrimLeft(digits, "0"); trimmed != "" {
		return trimmed, s[n:]
	}
	return digits[:min(n, 1)], s[n:]
}
