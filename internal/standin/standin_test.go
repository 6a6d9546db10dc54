package standin

import (
	"regexp"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/link"
)

// FuzzTools checks that every line is either refused, with a non-zero exit code, or asks for a device with a valid
// name.
func FuzzTools(f *testing.F) {
	for _, line := range []string{"-t tap0 -u root", "-bd tap0", "-u -t", "--mktun --dev tun",
		"--rmtun --dev tap%d --verb", "--mktun --dev tap0 --lladdr 02::",
		"-n blue tuntap a tun2 m tun u 1000 p v mu o", "-j -d tap", "tuntap del mode tap",
		"-c=always -- tuntap add dev x%dy mode tap"} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		for _, tool := range tools() {
			r, err := tool.Parse(strings.Split(line, " "))
			if err != nil {
				if refusal, ok := err.(*Refusal); !ok || refusal.Exit == 0 || refusal.Text == "" {
					t.Errorf("%s %q: %#v", tool.Name, line, err)
				}
				continue
			}
			if r.Ask == Add || r.Ask == Delete {
				if err := link.CheckTemplate(r.Spec.Name); err != nil || r.Spec.Mode == 0 {
					t.Errorf("%s %q: %q, mode %s: %v", tool.Name, line, r.Spec.Name, r.Spec.Mode, err)
				}
			}
		}
	})
}

var comment = regexp.MustCompile(`(?m)^[ \t]*# tunadm: .*\n`)

// FuzzTranslate checks that a script without a call of an emulated tool is copied unchanged, with comments.
func FuzzTranslate(f *testing.F) {
	for _, script := range []string{"tunctl -t tap0\n", "a=`tunctl -b`; b", "x \"$(y)\" 'z",
		"ip tuntap \\\n add tap0 mode tap|cat", "sudo sudo", "do", "if openvpn --mktun --dev $X", "\\", "a\\\n",
		"tunctl <(x)", "a > | b", "a;;b"} {
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script string) {
		got := Translate(script)
		old := strings.Contains(script, "tunctl") || strings.Contains(script, "openvpn") ||
			strings.Contains(script, "ip")
		if clean := comment.ReplaceAllString(got, ""); !old && clean != comment.ReplaceAllString(script, "") {
			t.Errorf("%q became %q", script, got)
		}
	})
}
