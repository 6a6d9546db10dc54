package main

import (
	"context"
	"errors"

	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
	current "github.com/containernetworking/cni/pkg/types/100"
)

// An ipam is the IPAM plugin of a network, which runs in the namespaces of the runtime.
type ipam struct {
	plugin string // ipam.type; "": there is none
	config []byte
}

// reserve asks the plugin for addresses. Without a plugin, the result is empty.
func (p ipam) reserve(ctx context.Context) (*current.Result, error) {
	if p.plugin == "" {
		return new(current.Result), nil
	}
	r, err := invoke.DelegateAdd(ctx, p.plugin, p.config, nil)
	if err != nil && ctx.Err() != nil { // it was killed, perhaps after it had reserved them
		return nil, both(types.NewError(types.ErrTryAgainLater, "ipam "+p.plugin+": interrupted", ""), p.release())
	} else if err != nil {
		return nil, p.failed(err)
	}
	result, err := current.NewResultFromResult(r)
	if err == nil && len(result.IPs) == 0 {
		err = errors.New("it returned no address")
	}
	if err != nil {
		return nil, both(p.failed(err), p.release())
	}
	return result, nil
}

// release returns the addresses. It is not interrupted: it cleans up.
func (p ipam) release() error {
	return p.do(context.Background(), invoke.DelegateDel)
}

// do calls the plugin, if there is one, with a command that returns no result.
func (p ipam) do(
	ctx context.Context, call func(ctx context.Context, plugin string, config []byte, exec invoke.Exec) error,
) error {
	if p.plugin == "" {
		return nil
	}
	return p.failed(call(ctx, p.plugin, p.config, nil))
}

// failed returns the error of a call of the plugin. It keeps the plugin's code.
func (p ipam) failed(err error) error {
	if err == nil {
		return nil
	}
	of := new(types.Error)
	if !errors.As(err, &of) {
		of = types.NewError(codeFailed, err.Error(), "")
	}
	return types.NewError(of.Code, "ipam "+p.plugin+": "+of.Msg, of.Details)
}

// both returns one error of two, with the code of the first. Either may be nil.
func both(first, second error) error {
	if first == nil || second == nil {
		return errors.Join(first, second)
	}
	e := new(types.Error)
	if !errors.As(first, &e) {
		return errors.Join(first, second)
	}
	return types.NewError(e.Code, e.Msg+"; "+second.Error(), e.Details)
}
