package main

import (
	"context"
	"slices"
	"strings"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
	cniversion "github.com/containernetworking/cni/pkg/version"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// check compares the tap with the configuration and with the result of its ADD. The error names each difference, and
// its details are the commands that remove them.
func check(ctx context.Context, args *skel.CmdArgs) error {
	c, err := readConfig(args)
	if err != nil {
		return err
	}
	if err := (ipam{c.IPAM.Type, args.StdinData}).do(ctx, invoke.DelegateCheck); err != nil {
		return err
	}
	s, err := c.expected(args)
	if err != nil {
		return err
	}
	return inside(args.Netns, func(space *netcfg.Namespace) error {
		r, err := change(ctx, space, netcfg.Change{Name: s.Name, Want: s, Expect: netcfg.Present},
			netcfg.Options{DryRun: true})
		if slices.Contains(lasting, cause.Of(err)) {
			return types.NewError(codeDiffers, subject(args)+"differs: "+words.Printable(err.Error()),
				"only DEL and ADD change this")
		}
		if err != nil || len(r.Steps) == 0 {
			return err
		}
		var what, how []string
		for _, step := range r.Steps {
			what, how = append(what, words.Printable(step.What())), append(how, words.Printable(step.String()))
		}
		return types.NewError(codeDiffers, subject(args)+"differs, and should have: "+strings.Join(what, ", "),
			"in "+words.Escape(args.Netns)+": "+strings.Join(how, "; "))
	})
}

// lasting are the causes of differences that no change of the device removes.
var lasting = []cause.Cause{cause.OtherKind, cause.WrongMode, cause.WrongQueues, cause.OwnerFixed}

// expected returns what the tap should be: as configured, with the MAC address, the addresses and the routes of the
// previous result, which later plugins may have changed. Other addresses and routes of the tap are no difference, nor
// are an owner and a group if none is configured: a program that attaches may set them.
func (c *config) expected(args *skel.CmdArgs) (*netcfg.Spec, error) {
	if c.RawPrevResult == nil {
		return nil, types.NewError(types.ErrInvalidNetworkConfig, "prevResult: it is missing", "")
	}
	err := cniversion.ParsePrevResult(&c.PluginConf)
	var result *current.Result
	if err == nil {
		result, err = current.NewResultFromResult(c.PrevResult)
	}
	if err != nil {
		return nil, types.NewError(types.ErrDecodingFailure, "prevResult: "+err.Error(), "")
	}
	at := slices.IndexFunc(result.Interfaces, func(i *current.Interface) bool {
		return i.Name == args.IfName && i.Sandbox == args.Netns
	})
	if at < 0 {
		return nil, types.NewError(types.ErrInvalidNetworkConfig,
			"prevResult: no interface "+words.Escape(args.IfName)+" in "+words.Escape(args.Netns), "")
	}
	s, err := c.spec(args.IfName)
	if err != nil {
		return nil, err
	}
	if c.Owner == nil && c.Group == nil {
		s.Access = nil
	}
	tap := result.Interfaces[at]
	if tap.Mac != "" {
		if s.MAC, err = link.ParseMAC(tap.Mac); err != nil {
			return nil, types.NewError(types.ErrInvalidNetworkConfig, "prevResult: mac: "+err.Error(), "")
		}
	}
	if tap.Mtu != 0 {
		s.MTU = &tap.Mtu
	}
	ips := slices.DeleteFunc(result.IPs, func(ip *current.IPConfig) bool {
		return ip.Interface != nil && *ip.Interface != at
	})
	return s, configure(s, ips, result.Routes)
}
