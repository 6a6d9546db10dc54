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

// causes is the one table of what each cause means and what mends it. In a hint {set} and {delete} stand for
// lines about the device, and {fix} for what mends this very case; a hint whose {fix} is empty is left out.
var causes = [...]struct{ means, hint string }{
	Unknown:          {"", ""},
	BadRequest:       {"", ""},
	NoDevice:         {"no such device", "{fix}"},
	Exists:           {"exists already", "{set} changes it; --if-missing accepts one that is as asked"},
	Differs:          {"exists already, and differs", "{fix}"},
	OtherKind:        {"not a TUN/TAP device", ""},
	WrongMode:        {"exists in the other mode", "a mode is for life: {delete}, then add it again; apply --replace does both"},
	WrongQueues:      {"exists with other queues", "multi-queue is for life: {delete}, then add it again; apply --replace does both"},
	InUse:            {"in use", "{fix}"},
	NotPermitted:     {"not permitted", "{fix}"},
	NotOwner:         {"not permitted", "{fix}"},
	NodeForbidden:    {"may not be opened", "{fix}"},
	NodeMissing:      {"no such node", "{fix}"},
	NodeWrong:        {"not the tun driver's node", "{fix}"},
	DriverMissing:    {"the kernel has no tun driver", "{fix}"},
	NoUser:           {"no such user", "create it with useradd(8), or give a number"},
	NoGroup:          {"no such group", "create it with groupadd(8), or give a number"},
	NoNames:          {"the name service does not answer", "{fix}"},
	NoMaster:         {"no such device", "{fix}"},
	NoPort:           {"takes no devices", "a master is a bridge or a VRF"},
	TunInBridge:      {"a tun carries no Ethernet frames, and a bridge nothing else", "only a tap can join a bridge"},
	TunHasNoMAC:      {"a tun device has none", "only a tap can have one"},
	MTUBounds:        {"", ""},
	MTUBelowIPv6:     {"the kernel would take IPv6 off the device", "an MTU of 1280 or more keeps it; to do without, remove the IPv6 addresses and routes first"},
	IPv6Off:          {"IPv6 is off", "sysctl -w net.ipv6.conf.{fix}.disable_ipv6=0"},
	NoGateway:        {"the gateway cannot be reached through the device", "give the device an address in the gateway's network"},
	AddressTaken:     {"the device has it in another form", "{fix}"},
	RouteTaken:       {"another device has it", "remove that one first, or give this one a metric of its own"},
	DeviceDown:       {"the device is down", "add --up"},
	OwnerFixed:       {"the kernel cannot unset an owner or a group", "{fix}"},
	NotThere:         {"is not on the device", "{fix}"},
	NoNamespace:      {"no such network namespace", "ip netns list"},
	ForeignNamespace: {"only its own user namespace may enter it", "{fix}"},
	Interrupted:      {"interrupted", ""},
	NoMemory:         {"out of memory", "{set 500}"},
	NotKept:          {"it did not stay: the kernel dropped it, or another program changed it", ""},
	OtherFailed:      {"left as it was, since another device failed", ""},
	NoProgram:        {"no such program", ""},
	NotExecutable:    {"it cannot be executed", ""},
}

// An Error says what failed on which device, and why.
type Error struct {
	Device string
	What   string // the property at fault: "mtu 70000"; "": the device itself
	Cause  Cause
	Detail string // the facts of this case, instead of the cause's general words
	Fix    string // what the cause's hint needs
	Err    error  // the kernel's own words
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

// Hint is the command or the sentence that mends it, or "".
func (e *Error) Hint() string {
	hint := causes[e.Cause].hint
	if strings.Contains(hint, "{fix}") && e.Fix == "" {
		return ""
	}
	return strings.NewReplacer("{set}", Line("set", e.Device, ""), "{set 500}", Line("set", e.Device, "--txqueuelen 500"),
		"{delete}", Line("delete", e.Device, ""), "{fix}", e.Fix).Replace(hint)
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
