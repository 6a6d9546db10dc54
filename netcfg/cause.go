package netcfg

import (
	"slices"
	"strings"
)

// A Cause is why something cannot be done. The commands choose the exit code by it.
type Cause uint8

// The causes. Unknown is one that only the kernel's own words tell.
const (
	Unknown          Cause = iota
	BadRequest             // what is asked contradicts itself
	NoDevice               // no device of that name
	Exists                 // a device of that name
	Differs                // a device of that name, unlike what is asked
	OtherKind              // not a TUN/TAP device
	WrongMode              // tun where tap is asked, or the reverse
	WrongQueues            // multi-queue where single is asked, or the reverse
	InUse                  // a program is attached
	NotPermitted           // the capability is missing
	NotOwner               // neither the device's owner nor in its group, and without the capability
	NodeForbidden          // this user may not open the driver's node
	NodeMissing            // no /dev/net/tun
	NodeWrong              // /dev/net/tun is not the driver's node
	DriverMissing          // the node is there, the driver is not
	NoUser                 // no such user
	NoGroup                // no such group
	NoNames                // the name service does not answer
	NoMaster               // no device of the master's name
	NoPort                 // the master takes no ports
	TunInBridge            // a bridge takes taps only
	TunHasNoMAC            // a tun has no Ethernet address
	MTUBounds              // the MTU is beyond what the mode allows
	MTUBelowIPv6           // the MTU would take IPv6 off the device
	IPv6Off                // IPv6 is switched off
	NoGateway              // the gateway is on no link of the device
	AddressTaken           // the device has that address in another form
	RouteTaken             // another device has that very route
	DeviceDown             // the device is down
	OwnerFixed             // an owner or a group cannot be unset
	NotThere               // an address or a route that is to be removed is not there
	NoNamespace            // no such network namespace
	ForeignNamespace       // a namespace that another user namespace owns
	Interrupted            // a signal
	NoMemory               // a queue is longer than the kernel has memory for
	NotKept                // the kernel took it, and dropped it again
	OtherFailed            // another change failed, and the run is atomic
	NoProgram              // no such program to execute
	NotExecutable          // a program that cannot be executed
)

// causes is the table of the words of each cause, and of its fix where that depends on the device alone. Other fixes
// come with the error, see [Error].
var causes = [...]struct {
	means string
	fix   func(device string) Fix
}{
	NoDevice:         {means: "no such device"},
	Exists:           {"exists already", accept},
	Differs:          {means: "exists already, and differs"},
	OtherKind:        {means: "not a TUN/TAP device"},
	WrongMode:        {"exists in the other mode", replace("a mode is for life: ")},
	WrongQueues:      {"exists with other queues", replace("multi-queue is for life: ")},
	InUse:            {means: "in use"},
	NotPermitted:     {means: "not permitted"},
	NotOwner:         {means: "not permitted"},
	NodeForbidden:    {means: "may not be opened"},
	NodeMissing:      {means: "no such node"},
	NodeWrong:        {means: "not the tun driver's node"},
	DriverMissing:    {means: "the kernel has no tun driver"},
	NoUser:           {"no such user", sentence("create it with useradd(8), or give a number")},
	NoGroup:          {"no such group", sentence("create it with groupadd(8), or give a number")},
	NoNames:          {means: "the name service does not answer"},
	NoMaster:         {means: "no such device"},
	NoPort:           {"takes no devices", sentence("a master is a bridge or a VRF")},
	TunInBridge:      {"a tun carries no Ethernet frames, and a bridge nothing else", sentence("only a tap can join a bridge")},
	TunHasNoMAC:      {"a tun device has none", sentence("only a tap can have one")},
	MTUBelowIPv6:     {"the kernel would take IPv6 off the device", sentence("an MTU of 1280 or more keeps it; to do without, remove the IPv6 addresses and routes first")},
	IPv6Off:          {means: "IPv6 is off"},
	NoGateway:        {"the gateway cannot be reached through the device", sentence("give the device an address in the gateway's network")},
	AddressTaken:     {means: "the device has it in another form"},
	RouteTaken:       {"another device has it", sentence("remove that one first, or give this one a metric of its own")},
	DeviceDown:       {"the device is down", sentence("add --up")},
	OwnerFixed:       {means: "the kernel cannot unset an owner or a group"},
	NotThere:         {means: "is not on the device"},
	NoNamespace:      {"no such network namespace", sentence("ip netns list")},
	ForeignNamespace: {means: "only its own user namespace may enter it"},
	Interrupted:      {means: "interrupted"},
	NoMemory:         {"out of memory", shorten},
	NotKept:          {means: "it did not stay: the kernel dropped it, or another program changed it"},
	OtherFailed:      {means: "left as it was, since another device failed"},
	NoProgram:        {means: "no such program"},
	NotExecutable:    {means: "it cannot be executed"},
}

func sentence(text string) func(string) Fix { return func(string) Fix { return Sentence(text) } }

// accept is the fix of a device that is to be created and exists.
func accept(device string) Fix {
	return Fix{Commands: []Command{Tunadm("set", device)}, After: " changes it; --if-missing accepts one that is as asked"}
}

// replace is the fix of a property that cannot be changed.
func replace(why string) func(string) Fix {
	return func(device string) Fix {
		return Fix{Before: why, Commands: []Command{Tunadm("delete", device)}, After: ", then add it again; apply --replace does both"}
	}
}

func shorten(device string) Fix { return Run(Tunadm("set", device, "--txqueuelen", "500")) }

// An Error says what failed on which device, and why.
type Error struct {
	Device string
	What   string // the property at fault: "mtu 70000"; "": the device itself
	Cause  Cause
	Detail string // the facts of this case, instead of the cause's general words
	Fix    Fix    // the fix of this case; zero: that of the cause
	Err    error  // the kernel's own words

	released bool // nobody uses the device any more
}

// Error is "what: why: kernel's words", without the device.
func (e *Error) Error() string {
	why := e.Detail
	if why == "" {
		why = causes[e.Cause].means
	}
	var parts []string
	for _, part := range []string{e.What, why} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if e.Err != nil && !slices.Contains(parts, e.Err.Error()) {
		parts = append(parts, e.Err.Error())
	}
	return strings.Join(parts, ": ")
}

func (e *Error) Unwrap() error { return e.Err }

// Hint returns the fix: that of this case, else that of the cause.
func (e *Error) Hint() Fix {
	if fix := causes[e.Cause].fix; e.Fix.IsZero() && fix != nil {
		return fix(e.Device)
	}
	return e.Fix
}

// KindWords says what the device is, with an article.
func (d *Device) KindWords() string {
	switch d.Kind {
	case "":
		return "a device of its own kind"
	case "loopback":
		return "the loopback device"
	case "tun":
		return "a " + d.Mode.String()
	}
	return "a " + Escape(d.Kind)
}
