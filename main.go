// Tunadm creates, changes, shows and deletes persistent TUN/TAP devices. See tunadm(8).
package main

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"

	"github.com/tunadm/tunadm/commands"
)

// version is what --version prints. The Makefile sets it from a source archive or git; if it is empty, the module has
// a version.
var version string

// memoryLimit is what the program may use before it collects garbage for the first time, in bytes. Most runs end long
// before.
const memoryLimit = 56 << 20

func main() {
	collectLate()
	if version == "" {
		version = moduleVersion()
	}
	os.Exit(commands.Main(os.Args, version, os.Stdout, os.Stderr))
}

// collectLate turns garbage collection off until the program uses memoryLimit. From then on the memory may double
// between two collections: with the limit alone, a program that needs more would collect all the time. The finalizer
// runs after the first collection. runtime.AddCleanup would start a goroutine in every run.
func collectLate() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(memoryLimit)
	runtime.SetFinalizer(new(*int), func(**int) {
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(math.MaxInt64)
	})
}

// moduleVersion returns the version of the module as "go install" records it, or "development".
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
