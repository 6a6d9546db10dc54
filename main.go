// Tunadm creates, changes, shows and deletes persistent TUN/TAP devices. See tunadm(8).
package main

import (
	"os"
	"runtime/debug"

	"github.com/tunadm/tunadm/commands"
)

// version is what --version prints; the Makefile fills it in from git.
var version = "development"

// memoryLimit is what the program may use before it collects garbage, in bytes. Most runs end long before.
const memoryLimit = 56 << 20

func main() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(memoryLimit)
	os.Exit(commands.Main(os.Args, version, os.Stdout, os.Stderr))
}
