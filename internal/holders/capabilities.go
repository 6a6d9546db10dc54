package holders

import "golang.org/x/sys/unix"

// keepCapabilities drops all other capabilities: root has all of them again after an execve.
func keepCapabilities(permitted uint64) error {
	if permittedCapabilities()&^permitted == 0 {
		return nil // capset(2) may be forbidden
	}
	data := [2]unix.CapUserData{{Permitted: uint32(permitted)}, {Permitted: uint32(permitted >> 32)}}
	data[0].Effective, data[1].Effective = data[0].Permitted, data[1].Permitted
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
}

// permittedCapabilities returns those of the thread, a bit each.
func permittedCapabilities() uint64 {
	var data [2]unix.CapUserData
	if unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0]) != nil {
		return 0
	}
	return uint64(data[1].Permitted)<<32 | uint64(data[0].Permitted)
}
