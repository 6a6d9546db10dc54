package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/containernetworking/cni/pkg/ns"
	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/state"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// add creates the tap of an attachment. Everything that can be checked is checked before the IPAM plugin reserves
// addresses; they are released if the tap cannot be created.
func add(ctx context.Context, args *skel.CmdArgs) error {
	c, err := readConfig(args)
	if err != nil {
		return err
	}
	c.warnOfKeys(args)
	o := &order{Args: *args}
	if err := o.rehearse(ctx, c); err != nil {
		return err
	}
	addresses := ipam{c.IPAM.Type, args.StdinData}
	if o.IPAM, err = addresses.reserve(ctx); err != nil {
		return err
	}
	result, err := o.fill(ctx, c)
	if err == nil {
		if err = types.PrintResult(result, c.CNIVersion); err != nil {
			err = types.NewError(types.ErrIOFailure, "print the result: "+err.Error(), "")
			err = both(err, remove(context.WithoutCancel(ctx), c.Name, args))
		}
	}
	if err != nil {
		return both(refusal(args, err), addresses.release())
	}
	return nil
}

// An order is a tap to be created. It is passed to a process in another security context as JSON.
type order struct {
	Args skel.CmdArgs
	IPAM *current.Result
}

// rehearse finds the errors of an ADD that do not depend on the addresses, and changes nothing.
func (o *order) rehearse(ctx context.Context, c *config) error {
	if err := elsewhere(&o.Args); err != nil {
		return err
	}
	s, err := c.spec(o.Args.IfName)
	if err != nil {
		return err
	}
	if c.IPAM.Type == "" { // else the gateways are not known yet
		if err := c.checkVersion(); err != nil {
			return err
		}
		if err := configure(s, nil, c.Routes); err != nil {
			return err
		}
	}
	if err := driverWorks(); err != nil {
		return err
	}
	if err := state.Run.Prepare(); err != nil {
		return err
	}
	return inside(o.Args.Netns, func(space *netcfg.Namespace) error {
		_, err := change(ctx, space, netcfg.Change{Name: s.Name, Want: s}, netcfg.Options{DryRun: true})
		return err
	})
}

// elsewhere returns an error if the container's network namespace is that of the plugin, which would be changed.
func elsewhere(args *skel.CmdArgs) error {
	if override := args.NetnsOverride; override == "1" || strings.EqualFold(override, "true") {
		return nil
	}
	same, err := ns.CheckNetNS(args.Netns)
	if err != nil {
		return err
	}
	if same {
		return types.NewError(types.ErrInvalidNetNS, "netns "+words.Escape(args.Netns)+
			": it is the network namespace of the plugin", "")
	}
	return nil
}

// fill creates the tap, in another security context if one is asked for, and returns the result.
func (o *order) fill(ctx context.Context, c *config) (*current.Result, error) {
	create := o.create
	if c.SELinuxContext != "" {
		create = o.createIn
	}
	tap, err := create(ctx, c)
	if err != nil {
		return nil, err
	}
	result := &current.Result{CNIVersion: current.ImplementedSpecVersion, Interfaces: []*current.Interface{tap},
		IPs: o.IPAM.IPs, Routes: append(o.IPAM.Routes, c.Routes...), DNS: c.DNS}
	if c.DNS.IsEmpty() {
		result.DNS = o.IPAM.DNS
	}
	for _, ip := range result.IPs {
		ip.Interface = current.Int(0)
	}
	return result, nil
}

// create creates the tap with all its properties, or nothing.
func (o *order) create(ctx context.Context, c *config) (*current.Interface, error) {
	s, err := c.spec(o.Args.IfName)
	if err != nil {
		return nil, err
	}
	if err := configure(s, o.IPAM.IPs, append(o.IPAM.Routes, c.Routes...)); err != nil {
		return nil, err
	}
	tap := &current.Interface{Name: s.Name, Sandbox: o.Args.Netns}
	record := state.Tap{Network: c.Name, Container: o.Args.ContainerID, Name: s.Name, Netns: o.Args.Netns}
	err = inside(o.Args.Netns, func(space *netcfg.Namespace) (err error) {
		if record.Namespace, err = space.Identity(); err != nil {
			return err
		}
		// Nothing can fail after the tap is permanent.
		remember := func(made []netcfg.Step) error {
			d, err := space.Device(made[0].Index)
			if err == nil && d == nil {
				err = cause.Vanished(s.Name)
			}
			if err != nil {
				return err
			}
			tap.Mac, tap.Mtu, record.Index = d.MAC.String(), d.MTU, d.Index
			return state.Run.RememberTap(record)
		}
		r, err := change(ctx, space, netcfg.Change{Name: s.Name, Want: s}, netcfg.Options{Remember: remember})
		if err != nil && record.Index != 0 && r.Index == 0 {
			return both(refusal(&o.Args, err), state.Run.ForgetTap(c.Name, o.Args.ContainerID, s.Name))
		}
		for _, text := range r.Warnings {
			warn(s.Name, text)
		}
		return err
	})
	return tap, err
}

// inside does work in a network namespace, on a thread that ends afterwards: the IPAM plugin must not start from there.
func inside(path string, work func(*netcfg.Namespace) error) error {
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		space, err := netcfg.Open(path)
		if err == nil {
			err = work(space)
			space.Close()
		}
		done <- err
	}()
	return <-done
}

// change makes one change, and returns its error with that of a failed undo.
func change(
	ctx context.Context, space *netcfg.Namespace, c netcfg.Change, o netcfg.Options,
) (netcfg.Result, error) {
	results, err := space.Run(ctx, []netcfg.Change{c}, o)
	if err != nil {
		return netcfg.Result{}, err
	}
	r := results[0]
	if r.UndoErr != nil {
		r.Err = fmt.Errorf("%w; could not be put back as it was: %w", r.Err, r.UndoErr)
	}
	return r, r.Err
}
