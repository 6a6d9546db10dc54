// Tunadm-cni is a CNI plugin that gives a container or a virtual machine a persistent tap. See tunadm-cni(8).
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"
	cniversion "github.com/containernetworking/cni/pkg/version"
	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/guard"
	"github.com/tunadm/tunadm/internal/holders"
)

// version is the version of the program. The Makefile sets it from a source archive or git; if it is empty, the module
// has a version.
var version string

// program is the name of the program in its messages.
const program = "tunadm-cni"

func main() { os.Exit(run(os.Args)) }

// run runs one call and returns the exit code.
func run(args []string) int {
	switch { // the program runs itself once more under these names
	case args[0] == holders.Examiner:
		return worked(holders.Examine(args[1:], os.Stdout))
	case args[0] == guard.Name && len(args) == 2:
		return worked(guard.Watch(args[1]))
	case args[0] == maker:
		return refused(makeInContext(os.Stdin, os.Stdout))
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	defer stop()
	signal.Ignore(unix.SIGPIPE) // an ADD whose result nobody reads is undone
	call := func(do func(context.Context, *skel.CmdArgs) error) func(*skel.CmdArgs) error {
		return func(args *skel.CmdArgs) error {
			if err := do(ctx, args); err != nil {
				return refusal(args, err)
			}
			return nil
		}
	}
	if err := skel.PluginMainFuncsWithError(skel.CNIFuncs{
		Add: call(add), Del: call(del), Check: call(check), GC: call(gc), Status: call(status),
	}, cniversion.All, program+" "+moduleVersion()); err != nil {
		return refused(err)
	}
	return 0
}

// worked prints the error of a helper process.
func worked(err error) int {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", program, err)
		return 1
	}
	return 0
}

// refused prints an error as the specification demands: as JSON on standard output.
func refused(err error) int {
	if err == nil {
		return 0
	}
	e := new(types.Error)
	if !errors.As(err, &e) {
		e = types.NewError(types.ErrInternal, err.Error(), "")
	}
	if err := e.Print(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v: %v\n", program, e, err)
	}
	return 1
}

// warn prints a warning, which container runtimes write into their logs.
func warn(device, text string) {
	fmt.Fprintf(os.Stderr, "%s: %s: warning: %s\n", program, device, text)
}

// moduleVersion returns the version of the program, or "development".
func moduleVersion() string {
	info, ok := debug.ReadBuildInfo()
	switch {
	case version != "":
		return version
	case ok && info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	return "development"
}
