// Package cause has the causes of errors: their texts, and the fixes that depend on the device alone. The commands
// choose the exit code by the cause.
package cause

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// A Cause is the reason of an error. The commands choose the exit code by it.
type Cause uint8

// The causes. Unknown means that only the kernel's error is known.
const (
	Unknown          Cause = iota
	BadRequest             // the request contradicts itself
	NoDevice               // no device has that name
	Exists                 // a device has that name
	Differs                // a device has that name, but not the properties that are asked
	OtherKind              // not a TUN/TAP device
	WrongMode              // a tun instead of a tap, or the reverse
	WrongQueues            // multi-queue instead of single-queue, or the reverse
	InUse                  // a program is attached
	NotPermitted           // a capability is missing
	NotOwner               // the user is not the owner or not in the group, and lacks the capability
	NodeForbidden          // the user may not open the driver's node
	NodeMissing            // no /dev/net/tun
	NodeWrong              // /dev/net/tun is not the driver's node
	DriverMissing          // the node exists, the driver does not
	NoUser                 // no such user
	NoGroup                // no such group
	NoNames                // the name service does not answer
	NoMaster               // no device has the master's name
	NoPort                 // the master takes no ports
	NoVLANs                // the kernel does not filter VLANs in bridges
	TunInBridge            // a bridge accepts taps only
	TunHasNoMAC            // a tun has no MAC address
	MTUBounds              // the MTU is outside the mode's bounds
	MTUBelowIPv6           // the kernel would remove IPv6 from the device with that MTU
	IPv6Off                // IPv6 is disabled
	NoGateway              // the gateway is not on a link of the device
	AddressTaken           // the device has the address in another form
	RouteTaken             // another device has the same route
	DeviceDown             // the device is down
	OwnerFixed             // the kernel cannot remove an owner or a group
	NotThere               // the address or route to remove does not exist
	NoNamespace            // no such network namespace
	ForeignNamespace       // another user namespace owns the network namespace
	Interrupted            // a signal
	NoMemory               // the kernel has no memory for a queue of that length
	NotKept                // the kernel accepted the change, and reverted it
	OtherFailed            // another change failed, and the run is atomic, or the change depends on the other
	NoProgram              // the program to execute does not exist
	NotExecutable          // the program cannot be executed
)

// causes is the table of the text of each cause, and of its fix if that depends on the device alone. [Error] carries
// the other fixes.
var causes = [...]struct {
	means string
	fix   func(device string) fix.Fix
}{
	NoDevice:      {means: "no such device"},
	Exists:        {"exists already", accept},
	Differs:       {means: "exists already, and differs"},
	OtherKind:     {means: "not a TUN/TAP device"},
	WrongMode:     {"exists in the other mode", recreate("the mode cannot be changed after creation: ")},
	WrongQueues:   {"exists with other queues", recreate("multi-queue cannot be changed after creation: ")},
	InUse:         {means: "in use"},
	NotPermitted:  {means: "not permitted"},
	NotOwner:      {means: "not permitted"},
	NodeForbidden: {means: "may not be opened"},
	NodeMissing:   {means: "no such node"},
	NodeWrong:     {means: "not the tun driver's node"},
	DriverMissing: {means: "the kernel has no tun driver"},
	NoUser:        {"no such user", sentence("create it with useradd(8), or give a number")},
	NoGroup:       {"no such group", sentence("create it with groupadd(8), or give a number")},
	NoNames:       {means: "the name service does not answer"},
	NoMaster:      {means: "no such device"},
	NoPort:        {"accepts no devices", sentence("a master is a bridge or a VRF")},
	NoVLANs:       {means: "this kernel does not filter VLANs in bridges"},
	TunInBridge: {"a bridge needs Ethernet frames, and a tun carries none",
		sentence("only a tap can join a bridge")},
	TunHasNoMAC: {"a tun has no MAC address", sentence("leave it out, or use a tap")},
	MTUBelowIPv6: {"the kernel would remove IPv6 from the device",
		sentence("use an MTU of 1280 or more, or remove the IPv6 addresses and routes first")},
	IPv6Off: {means: "IPv6 is off"},
	NoGateway: {"the gateway cannot be reached through the device",
		sentence("give the device an address in the gateway's network")},
	AddressTaken: {means: "the device has it in another form"},
	RouteTaken: {"another device has it",
		sentence("remove the other route first, or give this one another metric")},
	DeviceDown:       {"the device is down", sentence("add --up")},
	OwnerFixed:       {means: "the kernel cannot remove an owner or a group"},
	NotThere:         {means: "is not on the device"},
	NoNamespace:      {"no such network namespace", sentence("ip netns list")},
	ForeignNamespace: {means: "only its own user namespace may enter it"},
	Interrupted:      {means: "interrupted"},
	NoMemory:         {"out of memory", shorten},
	NotKept:          {means: "the kernel or another program reverted it"},
	OtherFailed:      {means: "unchanged, because another device failed"},
	NoProgram:        {means: "no such program"},
	NotExecutable:    {means: "it cannot be executed"},
}

// String returns the text of the cause, or "" if there is none.
func (c Cause) String() string { return causes[c].means }

func sentence(text string) func(string) fix.Fix {
	return func(string) fix.Fix { return fix.Sentence(text) }
}

// accept returns the fix for a device that cannot be created because it exists.
func accept(device string) fix.Fix {
	return fix.Fix{Commands: []fix.Command{fix.Tunadm("set", device)},
		After: " changes it; --if-missing accepts a device with these properties"}
}

// Recreate returns the fix for a property that cannot be changed.
func Recreate(device string) fix.Fix {
	return fix.Fix{Commands: []fix.Command{fix.Tunadm("delete", device)},
		After: ", then add it again; apply --replace does both"}
}

func recreate(why string) func(string) fix.Fix {
	return func(device string) fix.Fix {
		how := Recreate(device)
		how.Before = why
		return how
	}
}

func shorten(device string) fix.Fix { return fix.Run(fix.Tunadm("set", device, "--txqueuelen", "500")) }

// An Error is the failure of one device, with its cause.
type Error struct {
	Device string
	What   string // the property in error: "mtu 70000"; "": the device itself
	Cause  Cause
	Detail string  // the facts of this case; "": the text of the cause
	Fix    fix.Fix // the fix of this case; zero: the fix of the cause
	Err    error   // the kernel's error

	Owner    string // with NotOwner: the user that may attach; "": unknown, or any user of a group
	Released bool   // no program uses the device any more
}

// Error returns "what: why: kernel's error", without the device. It leaves out an error that repeats the words before,
// or that the cause has named.
func (e *Error) Error() string {
	why := e.Detail
	if why == "" {
		why = e.Cause.String()
	}
	var parts []string
	for _, part := range []string{e.What, why} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	said := strings.HasPrefix(why, "no such ") && errors.Is(e.Err, fs.ErrNotExist) || e.Cause.names(e.Err) ||
		e.Cause == OtherFailed // Err is printed for the other device
	if e.Err != nil && !said && !slices.Contains(parts, e.Err.Error()) {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

func (e *Error) Unwrap() error { return e.Err }

// Follow returns the error of a device that is unchanged because another one failed, with an error of its own or one
// that follows from a third device.
func Follow(device, failed string, err error) *Error {
	first := new(Error)
	if errors.As(err, &first) && first.Cause == OtherFailed {
		return &Error{Device: device, Cause: OtherFailed, Detail: first.Detail, Err: first.Err}
	}
	return &Error{Device: device, Cause: OtherFailed, Err: err,
		Detail: "unchanged, because " + words.Escape(failed) + " failed"}
}

// named are the kernel's errors that add nothing to the text of some causes.
var named = map[Cause][]error{
	Exists: {syscall.EEXIST}, RouteTaken: {syscall.EEXIST}, InUse: {syscall.EBUSY}, NoPort: {syscall.EOPNOTSUPP},
	NotPermitted: {syscall.EPERM, syscall.EACCES}, NotOwner: {syscall.EPERM}, ForeignNamespace: {syscall.EPERM},
	NoMemory: {syscall.EPERM},
}

// names reports whether the text of the cause says all that an error does.
func (c Cause) names(err error) bool {
	return slices.ContainsFunc(named[c], func(errno error) bool { return err != nil && err.Error() == errno.Error() })
}

// Hint returns the fix of this case, or else the fix of the cause.
func (e *Error) Hint() fix.Fix {
	if fix := causes[e.Cause].fix; e.Fix.IsZero() && fix != nil {
		return fix(e.Device)
	}
	return e.Fix
}
