// Tunadm creates, changes, shows and deletes persistent TUN/TAP devices. See tunadm(8).
package main

import (
	"os"
	"runtime/debug"

	"github.com/tunadm/tunadm/commands"
)

// version is what --version prints. The Makefile sets it from a source archive or git; if it is empty, the module has
// a version.
var version string

// memoryLimit is what the program may use before it collects garbage, in bytes. Most runs end long before.
const memoryLimit = 56 << 20

func main() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(memoryLimit)
	if version == "" {
		version = moduleVersion()
	}
	os.Exit(commands.Main(os.Args, version, os.Stdout, os.Stderr))
}

// moduleVersion returns the version of the module as "go install" records it, or "development".
func moduleVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "development"
}
