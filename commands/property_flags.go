package commands

import (
	"errors"
	"math"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/netcfg"
)

// properties are the property flags that add and set share.
type properties struct {
	spec     netcfg.Spec
	access   users.Names // looked up when the device names are known
	up, down bool
	noMaster bool
	creates  bool // the flags are those of add
}

func (q *properties) propertyFlags() []*option {
	s := &q.spec
	const addresses = "set the addresses: `ADDRESS` is 10.0.0.1/24, fd00::1/64 or '10.0.0.1 peer 10.0.0.2'; " +
		"repeat it for more, '' for none"
	const routes = "set the routes: `ROUTE` is '10.1.0.0/16 [via 10.0.0.2] [metric N] [table T]'; " +
		"repeat it for more, '' for none"
	user := "allow user `U`, a name or UID, to attach"
	if q.creates {
		user += "; by default root"
	}
	alias := pointerFlag("alias", "a `TEXT` that describes the device", parseAlias, &s.Alias)
	alias.anyText = true
	const group = "allow members of `G`, a name or GID, to attach; with --user, both must match"
	return []*option{
		pointerFlag("user", user, parseText, &q.access.User),
		pointerFlag("group", group, parseText, &q.access.Group),
		switchFlag("anyone", "allow every local user to attach", &q.access.Anyone),
		exactFlag("address", addresses, netcfg.ParseAddress, &s.Addresses),
		exactFlag("route", routes, netcfg.ParseRoute, &s.Routes),
		pointerFlag("mtu", "maximum packet size in `BYTES`", parseInt(link.MTUMin, link.MTUMax), &s.MTU),
		valueFlag("mac", "set `MAC`, the MAC address (tap)", link.ParseMAC, &s.MAC),
		pointerFlag("txqueuelen", "transmit queue length in `PACKETS`", parseInt(0, math.MaxInt32), &s.TxQueueLen),
		alias,
		pointerFlag("master", "join `DEV`, a bridge (tap) or a VRF", parseMaster, &s.Master),
		switchFlag("no-master", "leave the bridge or VRF", &q.noMaster),
		pointerFlag("promisc", "receive all frames: `on|off`", parseOnOff, &s.Promisc),
		pointerFlag("multicast", "send and receive multicast: `on|off`", parseOnOff, &s.Multicast),
		switchFlag("up", "bring the device up", &q.up),
		switchFlag("down", "take the device down", &q.down),
	}
}

// resolve returns the Spec that the flags ask for, for devices of these names. It looks up users before any change.
func (q *properties) resolve(names []string) (*netcfg.Spec, error) {
	if err := q.exclude(); err != nil {
		return nil, err
	}
	s := q.spec
	if q.up || q.down {
		s.Up = &q.up
	}
	if q.noMaster {
		s.Master = &netcfg.Master{}
	}
	var directory users.Directory
	access, err := directory.Access(q.access)
	s.Access = access
	return &s, forDevices(err, names...)
}

// forDevices returns an error of netcfg once for each of the devices.
func forDevices(err error, names ...string) error {
	if err == nil {
		return nil
	}
	e := new(cause.Error)
	if !errors.As(err, &e) || len(names) == 0 {
		return err
	}
	var errs []error
	for _, name := range names {
		one := *e
		one.Device = name
		errs = append(errs, &one)
	}
	return errors.Join(errs...)
}

// contradictions returns the errors of properties that no device can have together, as mistakes on the command line. A
// route may be asked of an existing device without --up: it may be up already.
func contradictions(want *netcfg.Spec, mayExist bool) error {
	var wrong []error
	for _, err := range want.Impossible() {
		if e := new(cause.Error); !mayExist || !errors.As(err, &e) || e.Cause != cause.DeviceDown {
			wrong = append(wrong, &exitError{code: exitUsage, err: err})
		}
	}
	return errors.Join(wrong...)
}

// exclude returns an error for each pair of flags that contradict each other.
func (q *properties) exclude() error {
	return exclusive([]pair{
		{q.up && q.down, "--up", "--down"},
		{q.down && q.spec.Routes != nil && len(*q.spec.Routes) > 0, "--down", "--route"},
		{q.down && len(q.spec.AddRoutes) > 0, "--down", "--add-route"},
		{q.noMaster && q.spec.Master != nil, "--master", "--no-master"},
		{q.access.Anyone && q.access.User != nil, "--anyone", "--user"},
		{q.access.Anyone && q.access.Group != nil, "--anyone", "--group"},
		{q.spec.Addresses != nil && len(q.spec.AddAddresses) > 0, "--address", "--add-address"},
		{q.spec.Addresses != nil && len(q.spec.RemoveAddresses) > 0, "--address", "--remove-address"},
		{q.spec.Routes != nil && len(q.spec.AddRoutes) > 0, "--route", "--add-route"},
		{q.spec.Routes != nil && len(q.spec.RemoveRoutes) > 0, "--route", "--remove-route"},
	})
}

func parseAlias(s string) (string, error) { return s, link.CheckAlias(s) }

func parseMaster(s string) (netcfg.Master, error) { return netcfg.Master{Name: s}, deviceName(s) }
