// Package testing holds tunadm-cni to other programs: to the official tap plugin and its tests, to cnitool, and to the
// IPAM plugins host-local and static. It is a module of its own, since tunadm needs none of them.
package testing

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// plugins is the directory of the built programs: tunadm-cni, tap, host-local, static, cnitool and the official suite.
var plugins = os.Getenv("TUNADM_TEST_PLUGINS")

// TestMain builds the programs, and runs the tests in a network and a mount namespace of their own, with empty /run and
// /var/lib/cni.
func TestMain(m *testing.M) {
	if plugins != "" {
		os.Exit(m.Run())
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "cni/testing: run the tests as root: they need other users")
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "tunadm-cni")
	if err == nil {
		err = errors.Join(build(dir), apart(dir), os.RemoveAll(dir))
	}
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.ExitCode() > 0 {
		os.Exit(exit.ExitCode())
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "cni/testing:", err)
		os.Exit(1)
	}
}

// build builds the programs into a directory.
func build(dir string) error {
	tap, err := exec.Command("go", "list", "-f", "{{.Dir}}",
		"github.com/containernetworking/plugins/plugins/main/tap").Output()
	if err != nil {
		return err
	}
	replace := map[string]string{}
	for _, name := range []string{"tap_test.go", "tap_suite_test.go"} {
		here, err := filepath.Abs(filepath.Join("official", name))
		if err != nil {
			return err
		}
		replace[here] = filepath.Join(strings.TrimSpace(string(tap)), name)
	}
	overlay := filepath.Join(dir, "overlay.json")
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err == nil {
		err = os.WriteFile(overlay, text, 0o600)
	}
	if err != nil {
		return err
	}
	for _, words := range [][]string{
		{"build", "-ldflags", "-s -w", "-o", dir + "/", "tool"},
		{"test", "-c", "-overlay", overlay, "-o", filepath.Join(dir, "official.test"), "./official"},
		{"build", "-C", "../..", "-ldflags", "-s -w", "-tags", "urfave_cli_no_docs",
			"-o", filepath.Join(dir, "tunadm-cni"), "./cni"},
	} {
		cmd := exec.Command("go", words...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(words, " "), err, out)
		}
	}
	return nil
}

// apart runs the tests again in namespaces. /proc is of the machine: it shows the processes of the tests.
func apart(dir string) error {
	const prepare = `mount --make-rprivate / && mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/netns &&
		mkdir -p /var/lib && mount -t tmpfs -o mode=755 tmpfs /var/lib && mount -t sysfs sysfs /sys && exec "$@"`
	cmd := exec.Command("sh", append([]string{"-c", prepare, "sh", "/proc/self/exe"}, os.Args[1:]...)...)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd.Args[4] = self
	cmd.Env = append(os.Environ(), "TUNADM_TEST_PLUGINS="+dir, "PATH="+dir+":"+os.Getenv("PATH")+":/usr/sbin:/sbin")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	return cmd.Run()
}

// TestOfficialSuite runs the tests of the official tap plugin against tunadm-cni: 14 of 14.
func TestOfficialSuite(t *testing.T) {
	cmd := exec.Command(filepath.Join(plugins, "official.test"), "-ginkgo.no-color")
	cmd.Env = append(os.Environ(), "TUNADM_CNI="+filepath.Join(plugins, "tunadm-cni"))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Ran 14 of 14 Specs") ||
		!strings.Contains(string(out), "14 Passed | 0 Failed | 0 Pending | 0 Skipped") {
		t.Errorf("%v\n%s", err, out)
	}
}
