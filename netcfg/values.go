package netcfg

import (
	"fmt"
	"net"
	"strings"
)

// Limits of the kernel, in bytes.
const (
	NameMax  = 15    // a device name (IFNAMSIZ less its final zero)
	aliasMax = 255   // an alias (IFALIASZ less one)
	MTUMin   = 68    // either mode
	MTUMax   = 65535 // a tun; a tap loses the Ethernet header to it, see [Mode.MTUMax]
	MTUMinV6 = 1280  // below it the kernel takes IPv6 off the device, silently
)

// Mode is the layer a device works at. The zero Mode asks nothing.
type Mode uint8

// The modes, numbered as the kernel's IFF_TUN and IFF_TAP.
const (
	TUN Mode = 1
	TAP Mode = 2
)

// ParseMode reads "tun" or "tap".
func ParseMode(s string) (Mode, error) {
	switch s {
	case "tun":
		return TUN, nil
	case "tap":
		return TAP, nil
	}
	return 0, fmt.Errorf("%q is neither tun nor tap", s)
}

// ModeOf is the mode that a name announces by beginning with it, or zero.
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

// MTUMax is the largest MTU of a device in this mode, in bytes.
func (m Mode) MTUMax() int {
	if m == TAP {
		return MTUMax - 14
	}
	return MTUMax
}

// checkMTU says whether a device in this mode can have that MTU (bytes). The zero Mode allows what either does.
func (m Mode) checkMTU(mtu int) error {
	switch {
	case mtu < MTUMin:
		return fmt.Errorf("smaller than %d, the least there is", MTUMin)
	case mtu > m.MTUMax():
		if m == TAP {
			return fmt.Errorf("larger than %d, the most of a tap", m.MTUMax())
		}
		return fmt.Errorf("larger than %d, the most there is", m.MTUMax())
	}
	return nil
}

// CheckName says whether the kernel takes name for a device as it stands, as its dev_valid_name decides.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("empty")
	case len(name) > NameMax:
		return fmt.Errorf("%d bytes, %d are the most", len(name), NameMax)
	case name == "." || name == "..":
		return fmt.Errorf("a name of the file system")
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

// IsTemplate says whether name leaves its number to the kernel: it holds a "%d".
func IsTemplate(name string) bool { return strings.Contains(name, "%") }

// CheckTemplate is [CheckName] for a name that add may leave to the kernel to number, with one "%d" in it.
func CheckTemplate(name string) error {
	if IsTemplate(name) && (strings.Count(name, "%") != 1 || strings.Count(name, "%d") != 1) {
		return fmt.Errorf("%% stands only in one %%d, for the kernel's number")
	}
	return CheckName(name)
}

// zeroMAC is no address, in the form of one.
const zeroMAC = "00:00:00:00:00:00"

// MAC is an Ethernet address of 6 bytes, or nil.
type MAC net.HardwareAddr

// ParseMAC reads six bytes as net.ParseMAC does. The zero address and a multicast one name no device and are refused.
func ParseMAC(s string) (MAC, error) {
	hw, err := net.ParseMAC(s)
	switch {
	case err != nil || len(hw) != 6:
		return nil, fmt.Errorf("%q is no Ethernet address: six bytes like 02:00:5e:10:00:01", s)
	case hw[0]&1 != 0:
		return nil, fmt.Errorf("%s is a multicast address", hw)
	case MAC(hw).String() == zeroMAC:
		return nil, fmt.Errorf("%s is the zero address", hw)
	}
	return MAC(hw), nil
}

func (m MAC) String() string { return net.HardwareAddr(m).String() }

// CheckAlias says whether the kernel can keep text as a device's alias.
func CheckAlias(text string) error {
	switch {
	case len(text) > aliasMax:
		return fmt.Errorf("%d bytes, %d are the most", len(text), aliasMax)
	case strings.ContainsRune(text, 0):
		return fmt.Errorf("a zero byte is not allowed in an alias")
	}
	return nil
}
