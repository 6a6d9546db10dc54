package commands

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/netcfg"
)

// properties is what the property flags of add and set ask for.
type properties struct {
	spec           netcfg.Spec
	access         netcfg.AccessNames // looked up when the devices are known
	up, down       bool
	noMaster       bool
	addresses      []netcfg.Address
	routes         []netcfg.Route
	multiQueue     bool
	exactAddresses bool
	exactRoutes    bool
}

// repeatableProperties are the flags that add up when they are repeated.
var repeatableProperties = []string{"address", "route", "add-address", "remove-address", "add-route", "remove-route"}

// propertyFlags are the properties that add and set have in common.
func propertyFlags(p *program) []cli.Flag {
	q := &p.properties
	s := &q.spec
	text := func(v string) (string, error) { return v, nil }
	return []cli.Flag{
		valueFlag(p, "user", "`U` may attach: a name or a number; a new device without any of these three is root's", text, func(v string) { q.access.User = &v }),
		valueFlag(p, "group", "members of `G` may attach; with --user, both must hold", text, func(v string) { q.access.Group = &v }),
		boolFlag("anyone", "every local user may attach", &q.access.Anyone),
		valueFlag(p, "address", "have `ADDRESS`: 10.0.0.1/24, fd00::1/64, '10.0.0.1 peer 10.0.0.2'; repeat it for more; '' for none", listOf(netcfg.ParseAddress),
			func(v []netcfg.Address) { q.addresses, q.exactAddresses = append(q.addresses, v...), true }),
		valueFlag(p, "route", "route `ROUTE` through the device: '10.1.0.0/16 [via 10.0.0.2] [metric N] [table T]'; repeat it for more; '' for none", listOf(netcfg.ParseRoute),
			func(v []netcfg.Route) { q.routes, q.exactRoutes = append(q.routes, v...), true }),
		valueFlag(p, "mtu", "largest packet, in `BYTES`", parseInt(netcfg.MTUMin, netcfg.MTUMax), func(v int) { s.MTU = &v }),
		valueFlag(p, "mac", "Ethernet address `MAC` (tap)", netcfg.ParseMAC, func(v netcfg.MAC) { s.MAC = v }),
		valueFlag(p, "txqueuelen", "queue of `N` packets towards the program", parseInt(0, math.MaxInt32), func(v int) { s.TxQueueLen = &v }),
		valueFlag(p, "alias", "a `TEXT` of yours on the device", parseAlias, func(v string) { s.Alias = &v }),
		valueFlag(p, "master", "join `DEV`, a bridge (tap) or a VRF", parseName, func(v string) { s.Master = &netcfg.Master{Name: v} }),
		boolFlag("no-master", "be in no bridge and no VRF", &q.noMaster),
		valueFlag(p, "promisc", "receive all frames: `on|off`", parseOnOff, func(v bool) { s.Promisc = &v }),
		valueFlag(p, "multicast", "take part in multicast: `on|off`", parseOnOff, func(v bool) { s.Multicast = &v }),
		boolFlag("up", "switch the device on", &q.up),
		boolFlag("down", "switch the device off", &q.down),
	}
}

// newFlags are the properties that only a new device can be given.
func newFlags(p *program) []cli.Flag {
	q := &p.properties
	return []cli.Flag{
		modeFlag(p, "`tun|tap`: packets or Ethernet frames; left out, what the name begins with"),
		boolFlag("multi-queue", "several queues at once", &q.multiQueue),
		boolFlag("vnet-hdr", "start with virtio headers; each program that attaches sets its own", &q.spec.VnetHdr),
		boolFlag("pi", "start with packet information; each program that attaches sets its own", &q.spec.PI),
	}
}

func modeFlag(p *program, usage string) cli.Flag {
	return valueFlag(p, "mode", usage, netcfg.ParseMode, func(v netcfg.Mode) { p.properties.spec.Mode = v })
}

// oneByOneFlags add and remove single addresses and routes of a live device.
func oneByOneFlags(p *program) []cli.Flag {
	s := &p.properties.spec
	return []cli.Flag{
		valueFlag(p, "add-address", "have `ADDRESS` too", netcfg.ParseAddress, func(v netcfg.Address) { s.AddAddresses = append(s.AddAddresses, v) }),
		valueFlag(p, "remove-address", "have `ADDRESS` no longer", netcfg.ParseAddress, func(v netcfg.Address) { s.RemoveAddresses = append(s.RemoveAddresses, v) }),
		valueFlag(p, "add-route", "have `ROUTE` too", netcfg.ParseRoute, func(v netcfg.Route) { s.AddRoutes = append(s.AddRoutes, v) }),
		valueFlag(p, "remove-route", "have `ROUTE` no longer", netcfg.ParseRoute, func(v netcfg.Route) { s.RemoveRoutes = append(s.RemoveRoutes, v) }),
	}
}

// resolve makes one Spec of the flags, for devices of these names. The users are looked up here, before anything is touched.
func (q *properties) resolve(names []string) (*netcfg.Spec, error) {
	if err := q.exclude(); err != nil {
		return nil, err
	}
	s := q.spec
	if q.exactAddresses {
		s.Addresses = &q.addresses
	}
	if q.exactRoutes {
		s.Routes = &q.routes
	}
	if q.up || q.down {
		s.Up = &q.up
	}
	if q.noMaster {
		s.Master = &netcfg.Master{}
	}
	if q.multiQueue {
		s.MultiQueue = &q.multiQueue
	}
	var directory netcfg.Directory
	access, err := directory.Access(q.access)
	s.Access = access
	return &s, forDevices(err, names...)
}

// forDevices is the error once for each device that it keeps from being as asked.
func forDevices(err error, names ...string) error {
	e := new(netcfg.Error)
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

// exclude refuses flags that contradict one another.
func (q *properties) exclude() error {
	for _, c := range []struct {
		both bool
		a, b string
	}{
		{q.up && q.down, "--up", "--down"},
		{q.noMaster && q.spec.Master != nil, "--master", "--no-master"},
		{q.access.Anyone && q.access.User != nil, "--anyone", "--user"},
		{q.access.Anyone && q.access.Group != nil, "--anyone", "--group"},
		{q.exactAddresses && len(q.spec.AddAddresses) > 0, "--address", "--add-address"},
		{q.exactAddresses && len(q.spec.RemoveAddresses) > 0, "--address", "--remove-address"},
		{q.exactRoutes && len(q.spec.AddRoutes) > 0, "--route", "--add-route"},
		{q.exactRoutes && len(q.spec.RemoveRoutes) > 0, "--route", "--remove-route"},
	} {
		if c.both {
			return usagef("%s and %s exclude each other", c.a, c.b)
		}
	}
	return nil
}

// listOf parses one value of a list, or the empty word for an empty list.
func listOf[T any](parse func(string) (T, error)) func(string) ([]T, error) {
	return func(s string) ([]T, error) {
		if s == "" {
			return nil, nil
		}
		v, err := parse(s)
		return []T{v}, err
	}
}

func parseInt(least, most int) func(string) (int, error) {
	return func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil || n < least || n > most {
			return 0, fmt.Errorf("%q is no number from %d to %d", s, least, most)
		}
		return n, nil
	}
}

func parseOnOff(s string) (bool, error) {
	if s != "on" && s != "off" {
		return false, fmt.Errorf("%q is neither on nor off", s)
	}
	return s == "on", nil
}

func parseAlias(s string) (string, error) { return s, netcfg.CheckAlias(s) }

func parseName(s string) (string, error) {
	if err := netcfg.CheckName(s); err != nil {
		return "", fmt.Errorf("%q is no device name: %w", s, err)
	}
	return s, nil
}
