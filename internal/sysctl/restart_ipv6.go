// Package sysctl writes two values to a sysctl so that no signal can end the program between them.
package sysctl

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"
)

// Restart writes 1 and 0 to disable_ipv6 so that no signal can kill this program between the two. A write fails with
// EINTR while another program changes the network. A netlink request that changes nothing waits for its end.
func Restart(file, socket int, nothing []byte) error {
	const tries = 16
	wait, on := kernelWrite{socket, nothing}, kernelWrite{file, []byte("0")}
	writes := slices.Concat([]kernelWrite{wait, {file, []byte("1")}}, slices.Repeat([]kernelWrite{wait, on}, tries))
	results, err := writeAll(writes)
	switch {
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EPERM): // without AIO, or in a sandbox: the address stays
		return nil
	case err != nil:
		return err
	case errors.Is(results[1], errNotBegun): // the kernel's sysctls do not support AIO
		return nil
	case results[1] != nil:
		return results[1]
	}
	for i := 3; i < len(results); i += 2 {
		if results[i] == nil {
			return nil
		}
	}
	_, err = unix.Write(file, on.data) // this write waits
	return err
}
