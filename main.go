// Tunadm creates, changes, shows and deletes persistent TUN/TAP devices. See tunadm(8).
package main

import (
	"os"

	"github.com/tunadm/tunadm/commands"
)

// version is what --version prints; the Makefile fills it in from git.
var version = "development"

func main() {
	os.Exit(commands.Main(os.Args, version, os.Stdout, os.Stderr))
}
