package driver

import (
	"encoding/binary"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The bits of TUNSETOFFLOAD: checksums, and segments of TCP and, from Linux 6.2 on, of UDP.
const (
	OffloadTCP = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6
	OffloadUDP = unix.TUN_F_USO4 | unix.TUN_F_USO6
)

// offloads holds the bits of TUNSETOFFLOAD by the names of the features, as ethtool(8) prints them.
var offloads = map[string]uint{
	"tx-checksum-ip-generic":  unix.TUN_F_CSUM,
	"tx-tcp-segmentation":     unix.TUN_F_TSO4,
	"tx-tcp6-segmentation":    unix.TUN_F_TSO6,
	"tx-tcp-ecn-segmentation": unix.TUN_F_TSO_ECN,
	"tx-udp-segmentation":     OffloadUDP,
}

// The set of the features' names, and the sizes in bytes of the kernel's answers: a name, and four words for each 32
// features.
const (
	featureStrings = 4 // ETH_SS_FEATURES
	featureName    = 32
	featureBlock   = 4 * 4
	featuresMost   = 256
)

// Offload reads the bits of TUNSETOFFLOAD of a device. It is untouched if they are off although ethtool wants all of
// them, as on a new device. If they cannot be read, they count as off, and the device not as untouched.
func Offload(socket int, name string) (bits uint, untouched bool) {
	names := make([]byte, 12+featuresMost*featureName)
	binary.NativeEndian.PutUint32(names, unix.ETHTOOL_GSTRINGS)
	binary.NativeEndian.PutUint32(names[4:], featureStrings)
	count := min(featureCount(socket, name), featuresMost)
	binary.NativeEndian.PutUint32(names[8:], uint32(count))
	blocks := (count + 31) / 32
	values := make([]byte, 8+blocks*featureBlock)
	binary.NativeEndian.PutUint32(values, unix.ETHTOOL_GFEATURES)
	binary.NativeEndian.PutUint32(values[4:], uint32(blocks))
	if count == 0 || ethtool(socket, name, names) != nil || ethtool(socket, name, values) != nil {
		return 0, false
	}
	wanted, known := uint(0), uint(0)
	for i := range count {
		bit := offloads[unix.ByteSliceToString(names[12+i*featureName:][:featureName])]
		word := func(n int) bool { // 0: the device can have it, 1: wanted, 2: on
			return binary.NativeEndian.Uint32(values[8+i/32*featureBlock+4*n:])>>(i%32)&1 != 0
		}
		if bit == 0 || !word(0) {
			continue
		}
		known |= bit
		if word(1) {
			wanted |= bit
		}
		if word(2) {
			bits |= bit
		}
	}
	return bits, bits == 0 && known != 0 && wanted == known
}

// featureCount returns the number of features that this kernel knows, or 0 if it cannot be read.
func featureCount(socket int, name string) int {
	ask := make([]byte, 4+4+8+4)
	binary.NativeEndian.PutUint32(ask, unix.ETHTOOL_GSSET_INFO)
	binary.NativeEndian.PutUint64(ask[8:], 1<<featureStrings)
	if ethtool(socket, name, ask) != nil {
		return 0
	}
	return int(binary.NativeEndian.Uint32(ask[16:]))
}

// ethtool does one request of ethtool's ioctl, which writes its answer to value.
func ethtool(socket int, name string, value []byte) error {
	return deviceRequest(socket, name, unix.SIOCETHTOOL, unsafe.Pointer(&value[0]))
}

// deviceRequest does an ioctl of a network device that reads and writes what data points to.
func deviceRequest(socket int, name string, number uintptr, data unsafe.Pointer) error {
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte
	}{data: data}
	copy(request.name[:unix.IFNAMSIZ-1], name)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(socket), number,
		uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(data)
	if errno != 0 {
		return errno
	}
	return nil
}

// SendsOffloads reports whether the attached program accepts large segments or packets without a checksum.
func SendsOffloads(socket int, name string) bool {
	value := make([]byte, 8) // struct ethtool_value: the command, the answer
	binary.NativeEndian.PutUint32(value, unix.ETHTOOL_GTXCSUM)
	return ethtool(socket, name, value) == nil && binary.NativeEndian.Uint32(value[4:]) != 0
}

// ethtoolChannels is the kernel's struct ethtool_channels.
type ethtoolChannels struct {
	command                             uint32
	maxRx, maxTx, maxOther, maxCombined uint32
	rx, tx, other, combined             uint32
}

// Queues returns the number of programs attached to a single-queue device, 0 or 1. It requires no privilege.
// Unlike the carrier, it is always right.
func Queues(socket int, name string) (int, error) {
	channels := ethtoolChannels{command: unix.ETHTOOL_GCHANNELS}
	value := unsafe.Slice((*byte)(unsafe.Pointer(&channels)), unsafe.Sizeof(channels))
	if err := ethtool(socket, name, value); err != nil {
		return 0, err
	}
	return int(channels.combined), nil
}
