package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"reflect"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	cniversion "github.com/containernetworking/cni/pkg/version"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// A config is the configuration of a network, with the keys of all plugins and of this one. The manual has a table of
// these fields.
type config struct {
	types.PluginConf

	MTU            int            `json:"mtu"`            // bytes; 0: the kernel's default, or that of the bridge
	MAC            string         `json:"mac"`            // "": a random one
	Owner          *uint32        `json:"owner"`          // UID; nil: any user, if there is no group either
	Group          *uint32        `json:"group"`          // GID; nil: any group
	MultiQueue     bool           `json:"multiQueue"`     // allow several queues at the same time
	VnetHdr        bool           `json:"vnetHdr"`        // start with virtio headers
	Alias          string         `json:"alias"`          // "": none
	TxQueueLen     *int           `json:"txqueuelen"`     // packets; nil: the kernel's default
	Bridge         string         `json:"bridge"`         // in the container's namespace; "": none
	Routes         []*types.Route `json:"routes"`         // through the tap, beside those of the IPAM plugin
	SELinuxContext string         `json:"selinuxContext"` // in which the tap is created; "": that of the plugin

	RuntimeConfig struct {
		MAC string `json:"mac"`
	} `json:"runtimeConfig"`
}

// othersKeys are the keys of a network that runtimes and other plugins read.
var othersKeys = []string{"cniVersion", "cniVersions", "name", "type", "args", "capabilities", "ipam", "dns",
	"prevResult", "runtimeConfig", "disableCheck", "disableGC"}

// macArgs are the words of CNI_ARGS that the plugin reads.
type macArgs struct {
	types.CommonArgs
	MAC types.UnmarshallableString
}

// readConfig reads the configuration of a call. The MAC address of the runtime comes before that in CNI_ARGS, and both
// before that of the network.
func readConfig(args *skel.CmdArgs) (*config, error) {
	c := new(config)
	if err := json.Unmarshal(args.StdinData, c); err != nil {
		mistyped := new(json.UnmarshalTypeError)
		if errors.As(err, &mistyped) {
			return nil, mismatch(strings.TrimPrefix(mistyped.Field, "PluginConf."), kindOf(mistyped.Type),
				inWords(mistyped.Value))
		}
		if address := new(net.ParseError); errors.As(err, &address) { // the addresses of routes are the only ones
			return nil, types.NewError(types.ErrInvalidNetworkConfig, "routes: "+address.Error(), "")
		}
		return nil, types.NewError(types.ErrDecodingFailure, "the configuration: "+err.Error(), "")
	}
	var given macArgs
	if err := types.LoadArgs(args.Args, &given); err != nil {
		return nil, types.NewError(types.ErrInvalidEnvironmentVariables, "CNI_ARGS: "+err.Error(),
			"IgnoreUnknown=1 in CNI_ARGS makes plugins ignore the words of others")
	}
	for _, mac := range []string{string(given.MAC), c.RuntimeConfig.MAC} {
		if mac != "" {
			c.MAC = mac
		}
	}
	return c, nil
}

// kindOf returns the type of a key in the words of JSON.
func kindOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Int:
		return "a whole number"
	case reflect.Uint32:
		return fmt.Sprintf("a number from 0 to %d", uint32(users.IDMax))
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		return "an array"
	}
	return "an object"
}

// inWords returns a kind of value that encoding/json found, such as "string" or "number 1.5", in words.
func inWords(found string) string {
	if number, ok := strings.CutPrefix(found, "number "); ok {
		return number
	}
	if words, ok := map[string]string{"array": "an array", "object": "an object", "bool": "true or false"}[found]; ok {
		return words
	}
	return "a " + found
}

// mismatch returns the error of a key that has a value of another kind than it requires.
func mismatch(key, kind string, value any) *types.Error {
	return types.NewError(types.ErrInvalidNetworkConfig,
		fmt.Sprintf("%s: the key requires %s, not %v", key, kind, value), "")
}

// checkVersion returns an error if a result without an address cannot be printed in the version of the configuration.
func (c *config) checkVersion() error {
	const first = "0.3.0" // with interfaces in the result
	given := "cniVersion: " + c.CNIVersion
	if c.CNIVersion == "" {
		given = "cniVersion: missing, and therefore 0.1.0"
	} else if can, err := cniversion.GreaterThanOrEqualTo(c.CNIVersion, first); err != nil || can {
		return err
	}
	return types.NewError(types.ErrInvalidNetworkConfig, given+": the result of this version requires an address",
		"set cniVersion to "+first+" or later, or name an IPAM plugin")
}

// otherWords are words of other tools and of tunadm.toml(5) for the keys of this plugin. A tap whose owner is ignored
// would be open to everyone.
var otherWords = map[string]string{"user": "owner", "uid": "owner", "gid": "group", "master": "bridge"}

// warnOfKeys prints a warning for each key that is not known but near to a known one, or a word of other tools
// for one. Other keys may belong to the runtime.
func (c *config) warnOfKeys(args *skel.CmdArgs) {
	var given map[string]json.RawMessage
	if json.Unmarshal(args.StdinData, &given) != nil {
		return
	}
	ours := ownKeys()
	for key := range given {
		known := func(k string) bool { return strings.EqualFold(k, key) }
		if slices.ContainsFunc(ours, known) || slices.ContainsFunc(othersKeys, known) {
			continue
		}
		if near := cmp.Or(otherWords[strings.ToLower(key)], words.Nearest(key, ours)); near != "" {
			warn(args.IfName, fmt.Sprintf("key %q is unknown and has no effect: did you mean %s?", key, near))
		}
	}
}

// ownKeys returns the keys that only this plugin reads.
func ownKeys() (keys []string) {
	for field := range reflect.TypeFor[config]().Fields() {
		if key := field.Tag.Get("json"); key != "" && key != "runtimeConfig" {
			keys = append(keys, key)
		}
	}
	return keys
}

// spec returns what the configuration asks of the tap, without addresses and the routes of an IPAM plugin.
func (c *config) spec(name string) (*netcfg.Spec, error) {
	up := true
	s := &netcfg.Spec{Name: name, Mode: link.TAP, Access: new(users.Access), MultiQueue: &c.MultiQueue,
		VnetHdr: c.VnetHdr, Link: netcfg.Link{Up: &up, TxQueueLen: c.TxQueueLen}}
	for key, id := range map[string]struct {
		given *uint32
		to    **users.ID
	}{"owner": {c.Owner, &s.Access.User}, "group": {c.Group, &s.Access.Group}} {
		if id.given != nil && *id.given > users.IDMax {
			return nil, mismatch(key, kindOf(reflect.TypeFor[uint32]()), *id.given)
		} else if id.given != nil {
			*id.to = &users.ID{Number: *id.given}
		}
	}
	if c.MTU != 0 {
		if err := link.TAP.CheckMTU(c.MTU); err != nil {
			return nil, wrong("mtu", c.MTU, err.Error())
		}
		s.MTU = &c.MTU
	}
	if c.MAC != "" {
		mac, err := link.ParseMAC(c.MAC)
		if err != nil {
			return nil, types.NewError(types.ErrInvalidNetworkConfig, "mac: "+err.Error(), "")
		}
		s.MAC = mac
	}
	if c.Alias != "" {
		if err := link.CheckAlias(c.Alias); err != nil {
			return nil, types.NewError(types.ErrInvalidNetworkConfig, "alias: "+err.Error(), "")
		}
		s.Alias = &c.Alias
	}
	if q := c.TxQueueLen; q != nil && (*q < 0 || *q > queueMax) {
		return nil, mismatch("txqueuelen", fmt.Sprintf("a number from 0 to %d", queueMax), *q)
	}
	if c.Bridge != "" {
		s.Master = &netcfg.Master{Name: c.Bridge}
	}
	return s, s.CheckNew()
}

// queueMax is the largest transmit queue length, in packets.
const queueMax = 1<<31 - 1
