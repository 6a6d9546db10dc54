package driver

import (
	"encoding/binary"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The request for struct __bridge_info of linux/if_bridge.h, and the place of the bridge's own delay in it.
const (
	bridgeInfo        = 6                   // BRCTL_GET_BRIDGE_INFO
	bridgeInfoSize    = 256                 // more than the kernel writes
	bridgeInfoDelayAt = 2*8 + 4 + 3*4 + 2*4 // behind two identifiers, the cost, three times of the root, two own ones
)

// ForwardDelay reads the forward delay of a bridge itself, in hundredths of a second. Netlink and sysfs report that of
// the root of the spanning tree. It requires no privilege. The error is EOPNOTSUPP for a 32-bit program on some 64-bit
// kernels.
func ForwardDelay(socket int, name string) (int, error) {
	info := make([]byte, bridgeInfoSize)
	var arguments [4]uintptr
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&info[0])
	pin.Pin(&arguments)
	arguments[0], arguments[1] = bridgeInfo, uintptr(unsafe.Pointer(&info[0]))
	if err := deviceRequest(socket, name, unix.SIOCDEVPRIVATE, unsafe.Pointer(&arguments)); err != nil {
		return 0, err
	}
	return int(binary.NativeEndian.Uint32(info[bridgeInfoDelayAt:])), nil
}
