package cause

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Of returns the cause of an error, or Unknown if it has none.
func Of(err error) Cause {
	if err == nil {
		return Unknown
	}
	if e := new(Error); errors.As(err, &e) {
		return e.Cause
	}
	return Unknown
}

// Gone reports whether an error means that a device does not exist: ENODEV from netlink, EBADFD from a queue whose
// device was deleted, EFAULT from a call on the queue that was waiting at that moment, or an [*Error] with the cause
// NoDevice.
func Gone(err error) bool {
	if c := Of(err); c != Unknown {
		return c == NoDevice // another cause may have one of these errno, such as a driver that is missing
	}
	return errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EBADFD) || errors.Is(err, unix.EFAULT)
}

// vanished is the detail of the error of [Vanished].
const vanished = "no longer exists"

// Vanished returns the error of a device that existed when the work on it began, and no longer does.
func Vanished(device string) *Error {
	return &Error{Device: device, Cause: NoDevice, Detail: vanished}
}

// Existed reports whether the error is one of [Vanished]: the name of the device was right.
func (e *Error) Existed() bool { return e.Detail == vanished }
