package commands

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestTheHookOfIfupdownRefusesUnknownOptions runs the hook as ifupdown does, with a program in place of tunadm that
// prints its arguments.
func TestTheHookOfIfupdownRefusesUnknownOptions(t *testing.T) {
	nstest.NeedProgram(t, "sh")
	dir := t.TempDir()
	program, hook := filepath.Join(dir, "tunadm"), filepath.Join(dir, "hook")
	text := regexp.MustCompile(`(?m)^tunadm=.*$`).ReplaceAllString(read(t, "../init/ifupdown"), "tunadm="+program)
	for path, content := range map[string]string{program: "#!/bin/sh\necho \"$@\" >&2\n", hook: text} {
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ phase, options, want string }{
		{"pre-up", "", ""},
		{"pre-up", "MODE=tun USER=waldner", "add --if-missing --mode tun --user waldner -- tun77\n"},
		{"pre-up", "MODE=tun USR=waldner", "tunadm: tun77: unknown option tunadm-usr\n"},
		{"pre-up", "MOD=tun", "tunadm: tun77: unknown option tunadm-mod\n"},
		{"pre-up", "MODE=tap MULTIQ_UEUE=1", "tunadm: tun77: unknown option tunadm-multiq-ueue\n"},
		{"post-down", "MODE=tun USR=waldner", "delete --if-exists -- tun77\n"},
		{"pre-up", "MODE=tap GROUP=g MAC=m MTU=1 TXQUEUELEN=2 ALIAS=a MASTER=br0 ANYONE=yes MULTI_QUEUE=1 " +
			"VNET_HDR=on PI=true",
			"add --if-missing --group g --mac m --mtu 1 --txqueuelen 2 --alias a --master br0 --anyone --multi-queue " +
				"--vnet-hdr --pi --mode tap -- tun77\n"},
	} {
		cmd := exec.Command("sh", hook)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "IFACE=tun77", "PHASE=" + c.phase}
		for _, option := range strings.Fields(c.options) {
			cmd.Env = append(cmd.Env, "IF_TUNADM_"+option)
		}
		out, err := cmd.CombinedOutput()
		if got := sortedWords(string(out)); got != sortedWords(c.want) {
			t.Errorf("%s %s: %q, want %q", c.phase, c.options, out, c.want)
		}
		if refused := strings.Contains(c.want, "unknown"); (err != nil) != refused {
			t.Errorf("%s %s: %v", c.phase, c.options, err)
		}
	}
}

// sortedWords returns the words of a text without their order.
func sortedWords(text string) string {
	words := strings.Fields(text)
	slices.Sort(words)
	return strings.Join(words, " ")
}
