package declare

import (
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/tunadm/tunadm/netcfg"
)

// TestTheFileOfTheManual reads the example that users begin with.
func TestTheFileOfTheManual(t *testing.T) {
	const text = `
[defaults]                 # any property; a device's own wins
user = "waldner"

[device.tun77]
mode      = "tun"
addresses = ["10.0.0.1/24", "fd00:77::1/64"]
mtu       = 1400

[device."tap[0-1]"]        # one numeric range declares a device a number
group       = "kvm"        # the group alone: not waldner
mac         = "02:00:5e:10:00:{n:02x}"
alias       = "port {n}"
multi_queue = true
`
	want := `tun77 user waldner
	ip tuntap add dev tun77 mode tun user root
	ip link set tun77 mtu 1400 up
	ip addr add 10.0.0.1/24 dev tun77
	ip addr add fd00:77::1/64 dev tun77
tap0 group kvm
	ip tuntap add dev tap0 mode tap user root multi_queue
	ip link set tap0 address 02:00:5e:10:00:00 alias 'port 0' up
tap1 group kvm
	ip tuntap add dev tap1 mode tap user root multi_queue
	ip link set tap1 address 02:00:5e:10:00:01 alias 'port 1' up
`
	if got := shownFile(t, text); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// shownFile is what a file declares, with the steps that create it, and its mistakes.
func shownFile(t *testing.T, text string) string {
	t.Helper()
	declarations, mistakes := parse("f", []byte(text))
	var b strings.Builder
	for _, d := range declarations {
		b.WriteString(d.Spec.Name)
		if d.Access.User != nil {
			b.WriteString(" user " + *d.Access.User)
		}
		if d.Access.Group != nil {
			b.WriteString(" group " + *d.Access.Group)
		}
		if d.Access.Anyone {
			b.WriteString(" anyone")
		}
		b.WriteByte('\n')
		steps, err := netcfg.Plan(&d.Spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range steps {
			b.WriteString("\t" + s.String() + "\n")
		}
	}
	return b.String() + shownMistakes(mistakes)
}

// shownMistakes are mistakes as users see them.
func shownMistakes(mistakes []*Mistake) string {
	const indent = "    "
	var b strings.Builder
	for _, m := range mistakes {
		b.WriteString(m.Error() + "\n")
		if m.Source != "" {
			b.WriteString(indent + m.Source + "\n" + indent + strings.Repeat(" ", m.Caret) + "^\n")
		}
		if hint := m.Hint().String(); hint != "" {
			b.WriteString(indent + "hint: " + hint + "\n")
		}
	}
	return b.String()
}

// TestAllMistakesOfAFileAreReported compares the mistakes of the files in testdata/mistakes.txtar.
func TestAllMistakesOfAFileAreReported(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/mistakes.txtar")
	if err != nil || len(archive.Files) < 20 || len(archive.Files)%2 != 0 {
		t.Fatal(err)
	}
	for i := 0; i < len(archive.Files); i += 2 {
		file, want := archive.Files[i], string(archive.Files[i+1].Data)
		_, mistakes := parse("f", file.Data)
		if got := shownMistakes(mistakes); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", file.Name, got, want)
		}
	}
}

// TestMistakesBeyondText has files that no editor of text writes: with a zero byte, and without a last line end.
func TestMistakesBeyondText(t *testing.T) {
	for text, want := range map[string]string{
		"[device.tun1]\nalias = \"\x00\"\n": "f:2:10: not UTF-8 text\n",
		"[device.tun1]\nalias = \"\xff\"\n": "f:2:10: not UTF-8 text\n",
		"alias = \"a":                       "f:1:10: unterminated basic string\n    alias = \"a\n             ^\n",
	} {
		_, mistakes := parse("f", []byte(text))
		if got := shownMistakes(mistakes); got != want {
			t.Errorf("%q: got\n%s\nwant\n%s", text, got, want)
		}
	}
}

// TestWaysToWriteAFile declares the same in TOML's other notations.
func TestWaysToWriteAFile(t *testing.T) {
	want := shownFile(t, "[device.tun1]\nmtu = 1400\nuser = 0\n[defaults]\nalias = \"a\"\n[device.tun2]\nanyone=true\n")
	for _, text := range []string{
		"defaults.alias = 'a'\ndevice.tun1.mtu = 1_400\ndevice.tun1.user = 0x0\ndevice.tun2 = { anyone = true }\n",
		"defaults = { alias = \"a\" }\n[device]\ntun1 = { mtu = +1400, user = \"0\" }\n\"tun2\".anyone = true\n",
		"\r\n[device]\r\n[device.'tun1']\r\nmtu = 0x578\r\nuser=0\r\n\r\n" +
			"[defaults]\r\nalias = \"\"\"a\"\"\"\r\n[device.\"tun[2-2]\"]\r\nanyone = true",
	} {
		if got := shownFile(t, text); got != want || strings.Contains(got, "f:") {
			t.Errorf("%q: got\n%s\nwant\n%s", text, got, want)
		}
	}
}

// TestAccessIsOneProperty: a device that names one of the three words takes none of them from the defaults.
func TestAccessIsOneProperty(t *testing.T) {
	got := shownFile(t, `[defaults]
user = "u"
group = "g"
[device.tun1]
[device.tun2]
user = "v"
[device.tun3]
anyone = true
[device.tun4]
anyone = false
`)
	for _, want := range []string{"tun1 user u group g\n", "tun2 user v\n", "tun3 anyone\n", "tun4\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("[device.tun1]\nmtu = 1400\n[defaults]\n")
	f.Add("[device.\"tap[0-1]\"]\nmac = \"02:00:5e:10:00:{n:02x}\"\n[device]\na = {b = [1]}\n")
	f.Add("mode = tun\n[x\n[device.tap[0-3]]\n= 3\n")
	f.Fuzz(func(t *testing.T, text string) {
		declarations, mistakes := parse("f", []byte(text))
		for _, d := range declarations {
			if _, err := netcfg.Plan(&d.Spec, nil); err != nil {
				t.Errorf("%q: %v", d.Spec.Name, err)
			}
		}
		for _, m := range mistakes {
			if m.Line < 1 || m.column < 1 || m.Line > strings.Count(text, "\n")+1 {
				t.Errorf("%v is no place in %q", m, text)
			}
		}
	})
}
