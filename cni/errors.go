package main

import (
	"errors"
	"fmt"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// The codes that the library does not name. Those above 99 belong to the plugin: 100 and the exit status of tunadm(8).
const (
	codeNotAvailable = 50 // of the specification: an ADD cannot succeed

	codeFailed       = 101
	codeNoDevice     = 103
	codeExists       = 104
	codeInUse        = 105
	codeNotPermitted = 106
	codeDiffers      = 108
)

// codes lists the codes of causes. All others have codeFailed.
var codes = map[cause.Cause]uint{
	cause.BadRequest:       types.ErrInvalidNetworkConfig,
	cause.MTUBounds:        types.ErrInvalidNetworkConfig,
	cause.MTUBelowIPv6:     types.ErrInvalidNetworkConfig,
	cause.NoGateway:        types.ErrInvalidNetworkConfig,
	cause.NoPort:           types.ErrInvalidNetworkConfig,
	cause.NoNamespace:      types.ErrInvalidNetNS,
	cause.ForeignNamespace: types.ErrInvalidNetNS,
	cause.Interrupted:      types.ErrTryAgainLater,
	cause.NoMemory:         types.ErrTryAgainLater,
	cause.NodeForbidden:    codeNotAvailable,
	cause.NodeMissing:      codeNotAvailable,
	cause.NodeWrong:        codeNotAvailable,
	cause.DriverMissing:    codeNotAvailable,
	cause.NoDevice:         codeNoDevice,
	cause.Exists:           codeExists,
	cause.Differs:          codeDiffers,
	cause.OtherKind:        codeExists,
	cause.WrongMode:        codeExists,
	cause.WrongQueues:      codeExists,
	cause.InUse:            codeInUse,
	cause.NotPermitted:     codeNotPermitted,
	cause.NotOwner:         codeNotPermitted,
}

// hints replace fixes that name flags of tunadm, by cause.
var hints = map[cause.Cause]string{
	cause.Exists:     "choose another interface name: a device that exists is never changed",
	cause.WrongMode:  "choose another interface name: a device that exists is never changed",
	cause.DeviceDown: "",
}

// refusal returns the error of a call as the specification has it: the cause's code and text, and its fix as details.
func refusal(args *skel.CmdArgs, err error) *types.Error {
	if e := new(types.Error); errors.As(err, &e) {
		return e
	}
	e := new(cause.Error)
	if !errors.As(err, &e) {
		return types.NewError(codeFailed, subject(args)+words.Printable(err.Error()), "")
	}
	code, known := codes[e.Cause]
	if !known {
		code = codeFailed
	}
	hint, ours := hints[e.Cause]
	if !ours {
		hint = fix.HintOf(err).In(args.Netns).String()
	}
	return types.NewError(code, subject(args)+words.Printable(err.Error()), words.Printable(hint))
}

// subject returns the interface of a call with a colon, or "" for calls that have none.
func subject(args *skel.CmdArgs) string {
	if args.IfName == "" {
		return ""
	}
	return words.Escape(args.IfName) + ": "
}

// wrong returns the error of a key of the configuration.
func wrong(key string, value any, why string) *types.Error {
	return types.NewError(types.ErrInvalidNetworkConfig, fmt.Sprintf("%s: %v: %s", key, value, why), "")
}
