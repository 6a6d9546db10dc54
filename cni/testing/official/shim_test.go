// Package main runs the test file of the official tap plugin, unmodified, against tunadm-cni. TestOfficialSuite adds
// the file by an overlay, from the module of the plugin; this file has the functions that it calls.
package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"

	"github.com/containernetworking/cni/pkg/skel"
	"github.com/containernetworking/cni/pkg/types"

	// What the test file imports: this keeps the modules in go.mod.
	_ "github.com/containernetworking/plugins/pkg/testutils"
	_ "github.com/containernetworking/plugins/plugins/ipam/host-local/backend/allocator"
	_ "github.com/onsi/ginkgo/v2"
	_ "github.com/onsi/gomega"
)

func cmdAdd(args *skel.CmdArgs) error    { return call("ADD", args) }
func cmdCheck(args *skel.CmdArgs) error  { return call("CHECK", args) }
func cmdDel(args *skel.CmdArgs) error    { return call("DEL", args) }
func cmdStatus(args *skel.CmdArgs) error { return call("STATUS", args) }

// call runs the plugin in the namespaces of this thread.
func call(command string, args *skel.CmdArgs) error {
	var out bytes.Buffer
	cmd := exec.Command(os.Getenv("TUNADM_CNI"))
	cmd.Env = append(os.Environ(), "CNI_COMMAND="+command, "CNI_CONTAINERID="+args.ContainerID,
		"CNI_NETNS="+args.Netns, "CNI_IFNAME="+args.IfName, "CNI_ARGS="+args.Args, "CNI_PATH="+os.Getenv("PATH"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(args.StdinData), &out, os.Stderr
	if err := cmd.Run(); err != nil {
		refusal := new(types.Error)
		if json.Unmarshal(out.Bytes(), refusal) == nil && refusal.Msg != "" {
			return refusal
		}
		return err
	}
	_, err := os.Stdout.Write(out.Bytes())
	return err
}
