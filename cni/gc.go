package main

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/driver"
	"github.com/tunadm/tunadm/internal/state"
)

// validKey is the key with the attachments that are still valid.
const validKey = "cni.dev/valid-attachments"

// gc deletes the taps of a network that this program created for attachments that are no longer valid, and asks the
// IPAM plugin to do the same with its addresses. Without a list of valid attachments, as from cnitool, it does nothing.
func gc(ctx context.Context, args *skel.CmdArgs) error {
	var network types.PluginConf
	var given map[string]json.RawMessage
	if err := json.Unmarshal(args.StdinData, &network); err != nil {
		return types.NewError(types.ErrDecodingFailure, "the configuration: "+err.Error(), "")
	}
	if err := json.Unmarshal(args.StdinData, &given); err != nil || given[validKey] == nil {
		warn("GC", "nothing is deleted without the key "+validKey)
		return err
	}
	taps, err := state.Run.Taps(network.Name)
	for _, tap := range taps {
		if slices.Contains(network.ValidAttachments, types.GCAttachment{ContainerID: tap.Container, IfName: tap.Name}) {
			continue
		}
		of := &skel.CmdArgs{IfName: tap.Name, ContainerID: tap.Container, Netns: tap.Netns}
		if failed := remove(ctx, network.Name, of); failed != nil {
			err = both(err, refusal(of, failed))
		}
	}
	return both(err, ipam{network.IPAM.Type, args.StdinData}.do(ctx, invoke.DelegateGC))
}

// status reports whether an ADD can succeed: the driver must be there, and the IPAM plugin must be ready.
func status(ctx context.Context, args *skel.CmdArgs) error {
	c, err := readConfig(args)
	if err != nil {
		return err
	}
	if err := driverWorks(); err != nil {
		return err
	}
	if err := state.Run.Prepare(); err != nil {
		return types.NewError(codeNotAvailable, err.Error(), "")
	}
	return ipam{c.IPAM.Type, args.StdinData}.do(ctx, invoke.DelegateStatus)
}

// driverWorks returns the reason why the driver cannot be reached.
func driverWorks() error {
	fd, err := driver.Open(driver.Path)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}
