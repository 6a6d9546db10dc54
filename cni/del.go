package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/netcfg"
)

// del deletes the tap of an attachment, and releases its addresses even if the tap cannot be deleted. It reads nothing
// of the configuration but the names of the network and of the IPAM plugin: the rest may have changed since the ADD.
func del(ctx context.Context, args *skel.CmdArgs) error {
	var network struct {
		Name string
		IPAM types.IPAM
	}
	if err := json.Unmarshal(args.StdinData, &network); err != nil {
		return types.NewError(types.ErrDecodingFailure, "the configuration: "+err.Error(), "")
	}
	err := remove(ctx, network.Name, args)
	if err != nil {
		err = refusal(args, err)
	}
	return both(err, ipam{network.IPAM.Type, args.StdinData}.release())
}

// remove deletes the tap that this program created for an attachment, even if a program uses it. A tap that is gone,
// or whose network namespace is gone, is deleted already. No other device is touched.
func remove(ctx context.Context, network string, args *skel.CmdArgs) error {
	tap, err := state.Run.RecallTap(network, args.ContainerID, args.IfName)
	if err != nil {
		return err
	}
	if tap != nil {
		if args.Netns != "" {
			tap.Netns = args.Netns
		}
		if err := removeTap(ctx, tap); err != nil {
			return err
		}
	}
	return state.Run.ForgetTap(network, args.ContainerID, args.IfName)
}

// removeTap deletes a tap, unless its network namespace is gone or the path leads to another one.
func removeTap(ctx context.Context, tap *state.Tap) error {
	err := inside(tap.Netns, func(space *netcfg.Namespace) error {
		namespace, err := space.Identity()
		if err != nil || namespace != tap.Namespace {
			return err
		}
		d, err := space.Device(tap.Index) // it may have another name by now
		if err != nil || d == nil || d.Kind != "tun" || d.Mode != link.TAP {
			return err
		}
		_, err = change(ctx, space, netcfg.Change{Name: d.Name, Index: d.Index, Expect: netcfg.PresentOrNot,
			Like: &netcfg.Spec{Mode: link.TAP}, Force: true}, netcfg.Options{})
		return err
	})
	if cause.Of(err) == cause.NoNamespace || errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) {
		return nil
	}
	return err
}
