package declare

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	want := `tun77 user waldner: ip tuntap add dev tun77 mode tun user root; ip link set tun77 mtu 1400 up; ip addr add 10.0.0.1/24 dev tun77; ip addr add fd00:77::1/64 dev tun77
tap0 group kvm: ip tuntap add dev tap0 mode tap user root multi_queue; ip link set tap0 address 02:00:5e:10:00:00 alias 'port 0' up
tap1 group kvm: ip tuntap add dev tap1 mode tap user root multi_queue; ip link set tap1 address 02:00:5e:10:00:01 alias 'port 1' up
`
	if got := shownFile(t, text); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// shownFile is what a file declares, and what is wrong with it: place, words, line and hint.
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
		steps, err := netcfg.Plan(&d.Spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		sep := ": "
		for _, s := range steps {
			b.WriteString(sep + s.String())
			sep = "; "
		}
		b.WriteByte('\n')
	}
	for _, m := range mistakes {
		fmt.Fprintf(&b, "%v | %s | %s\n", m, m.Source, m.Hint)
	}
	return b.String()
}

// wrongFiles are files and what is wrong with them: one of each kind, and more than one in a line, a list and a device.
var wrongFiles = []struct{ name, text, want string }{
	{"a key outside", "mtu = 3\n", `f:1:1: mtu is no property of the file | mtu = 3 | it stands under [device.NAME] or [defaults]`},
	{"a key of defaults", "[defaults]\nusr = \"x\"\n", `f:2:1: unknown key "usr" | usr = "x" | did you mean user?`},
	{"another tool's key", "[device.tun1]\nowner = \"x\"\nmulti-queue = true\nnetns = \"a\"\n", `
f:2:1: unknown key "owner" | owner = "x" | did you mean user?
f:3:1: unknown key "multi-queue" | multi-queue = true | did you mean multi_queue?
f:4:1: unknown key "netns" | netns = "a" | a namespace is the run's: tunadm apply --netns NS FILE`},
	{"text without quotes", "[device.tun1]\nmode = tun\nmtu =\nalias = \"a", `
f:2:8: mode: wants text in quotes, not tun | mode = tun | mode = "tun"
f:3:6: mtu has no value | mtu = | 
f:4:10: unterminated basic string | alias = "a | `},
	{"types", `[device.tap1]
mode = 3
mtu = "1500"
promisc = "on"
up = 1
addresses = "10.0.0.1/24"
user = true
master = false
txqueuelen = 2.5
alias = 1979-05-27`, `
f:2:8: mode: wants text in quotes, not a number | mode = 3 | mode = "3"
f:3:7: mtu: wants a number, not text | mtu = "1500" | mtu = 1500
f:4:11: promisc: wants true or false, not text | promisc = "on" | promisc = true
f:5:6: up: wants true or false, not a number | up = 1 | up = true
f:6:13: addresses: wants a list of texts, not text | addresses = "10.0.0.1/24" | addresses = ["10.0.0.1/24"]
f:7:8: user: wants text in quotes, not true or false | user = true | user = "true"
f:8:10: master: wants text in quotes, not true or false | master = false | master = "" is none
f:9:14: txqueuelen: wants a number, not a broken number | txqueuelen = 2.5 | 
f:10:9: alias: wants text in quotes, not a date | alias = 1979-05-27 | alias = "1979-05-27"`},
	{"values", `[device.tap1]
mode = "tin"
user = -1
group = ""
mtu = 70000
mac = "01:00:5e:00:00:01"
txqueuelen = 99999999999
alias = "` + strings.Repeat("x", 256) + `"
master = "a/b"`, `
f:2:8: mode: "tin" is neither tun nor tap | mode = "tin" | 
f:3:8: user: -1 is no number from 0 to 4294967294 | user = -1 | 
f:4:9: group: the name is empty | group = "" | 
f:5:7: mtu: 70000 is no number from 68 to 65535 | mtu = 70000 | 
f:6:7: mac: 01:00:5e:00:00:01 is a multicast address | mac = "01:00:5e:00:00:01" | 
f:7:14: txqueuelen: 99999999999 is no number from 0 to 2147483647 | txqueuelen = 99999999999 | 
f:8:9: alias: 256 bytes, 255 are the most | alias = "` + strings.Repeat("x", 256) + `" | 
f:9:10: master: '/' is not allowed in a name | master = "a/b" | `},
	{"lists", "[device.tun1]\naddresses = [\"10.0.0.300/24\", 3, \"10.0.0.1/8\",\n  \"10.0.0.1/8\"]\nroutes = [\"10.1.2.3/16\"]\n", `
f:2:14: addresses: "10.0.0.300/24" is no IP address | addresses = ["10.0.0.300/24", 3, "10.0.0.1/8", | 
f:2:31: addresses: 3 is no text in quotes | addresses = ["10.0.0.300/24", 3, "10.0.0.1/8", | 
f:3:3: addresses: 10.0.0.1/8 stands in the list twice |   "10.0.0.1/8"] | 
f:4:11: routes: 10.1.2.3/16 has bits set beyond its length: 10.1.0.0/16 | routes = ["10.1.2.3/16"] | `},
	{"headers", "[device.tap.0a]\nx = 1\n[device.tap[0-3]]\nmtu = 1\n[tun3]\n[devices.tun3]\n[[device]]\n[device.tun1.mtu]\n[device.\"\"]\n", `
f:1:2: unknown table "device.tap.0a" | [device.tap.0a] | a name with dots is quoted: [device."tap.0a"]
f:3:12: expected ']' to close table name | [device.tap[0-3]] | a range of names is quoted: [device."tap[0-9]"]
f:5:2: unknown table "tun3" | [tun3] | did you mean [device.tun3]?
f:6:2: unknown table "devices.tun3": there are [defaults] and [device.NAME] | [devices.tun3] | did you mean device?
f:7:3: a list of tables | [[device]] | one pair of brackets: [device.NAME]
f:8:2: unknown table "device.tun1.mtu" | [device.tun1.mtu] | mtu is a property: it stands in a line of its own under [device.tun1]
f:9:2: a device without a name | [device.""] | `},
	{"all of a device", "[device.tun0]\nmac=\"02:00:5e:10:00:01\"\nmtu=1000\naddresses=[\"fd00::1/64\"]\nroutes=[\"fd01::/64\"]\nup=false\n[device.foo]\nmtu=1\nanyone=true\nuser=\"x\"", `
f:2:5: device "tun0": mac 02:00:5e:10:00:01: a tun device has none | mac="02:00:5e:10:00:01" | only a tap can have one
f:3:5: device "tun0": mtu 1000: the kernel would take fd00::1/64 off the device | mtu=1000 | an MTU of 1280 or more keeps it; to do without, remove the IPv6 addresses and routes first
f:5:8: device "tun0": route fd01::/64: the device is down | routes=["fd01::/64"] | up = true, or leave it out
f:7:2: "foo" begins with neither tun nor tap, and no mode is given | [device.foo] | mode = "tun" or mode = "tap"
f:8:5: mtu: 1 is no number from 68 to 65535 | mtu=1 | 
f:9:8: anyone and a user or group exclude each other | anyone=true | `},
	{"slips", "[device.tun1]\nmtu = 01400\nup = True\ntxqueuelen = 1k # packets\naddresses = 10.0.0.1/24\nuser = “u”,\n// a comment\n[device.\"tun%d\"]\n", `
f:2:7: mtu: wants a number, not 01400 | mtu = 01400 | mtu = 1400
f:3:6: up: wants true or false, not True | up = True | up = true
f:4:15: txqueuelen: wants a number, not 1k | txqueuelen = 1k # packets | 
f:5:17: addresses: wants a list of texts, not 10.0.0.1/24 | addresses = 10.0.0.1/24 | addresses = ["10.0.0.1/24"]
f:6:8: user: wants text in quotes, not “u”, | user = “u”, | user = "u"
f:7:1: a comment begins with # | // a comment | 
f:8:2: "tun%d" leaves its number to the kernel, which would make another one each time | [device."tun%d"] | several devices are a range: [device."tun[0-9]"]`},
	{"no text", "[device.tun1]\nalias = \"\x00\"\n", `f:2:10: this is no text in UTF-8 |  | `},
	{"twice", "[device.tun1]\nmtu = 1400\nmtu = 1400\n[device.tun1]\n[device]\ntun1.mtu = 3\ntun2 = 5\ntun3 = { mtu = 1300 }\n[device.tun3]\n", `
f:3:1: mtu stands here twice: first in line 2 | mtu = 1400 | 
f:4:2: [device.tun1] stands here twice: first in line 1 | [device.tun1] | 
f:6:6: mtu stands here twice: first in line 2 | tun1.mtu = 3 | 
f:7:1: device "tun2" is no value but a table | tun2 = 5 | its properties stand under [device.tun2]
f:9:2: [device.tun3] stands here twice: first in line 8 | [device.tun3] | `},
	{"names", "[device.foo]\n[device.tunabcdefghijklmnop]\n[device.\"tap[3-1]\"]\n[device.\"tap[a]\"]\n[device.\"tap[0-99999]\"]\n", `
f:1:2: "foo" begins with neither tun nor tap, and no mode is given | [device.foo] | mode = "tun" or mode = "tap"
f:2:2: "tunabcdefghijklmnop" is no device name: 19 bytes, 15 are the most | [device.tunabcdefghijklmnop] | 
f:3:2: "tap[3-1]" is no device name: the range ends before it begins | [device."tap[3-1]"] | 
f:4:2: "tap[a]" is no device name: a range is one pair of numbers: tap[0-9] | [device."tap[a]"] | 
f:5:2: "tap[0-99999]" is no device name: 100000 devices, 65536 are the most of one range | [device."tap[0-99999]"] | `},
	{"ranges", "[device.\"tap[0-3]\"]\nmac = \"02:00:5e:10:00:01\"\nalias = \"{n:zz}\"\n[device.tun1]\nalias = \"{n}\"\naddresses = [\"10.0.{n}.1/24\"]\n", `
f:2:7: mac: the devices of a range cannot all have the same | mac = "02:00:5e:10:00:01" | let the number be part of it: "02:00:5e:10:00:{n:02x}"
f:3:9: alias: {n:zz}: the format is a width and d, x or X, as in {n:02x} | alias = "{n:zz}" | 
f:6:14: addresses: "10.0.{n}.1/24" is no IP address | addresses = ["10.0.{n}.1/24"] | `},
	{"what does not go together", `[device.tun1]
mac = "02:00:5e:10:00:01"
[device.tap2]
mtu = 65535
[device.tun3]
mtu = 1000
addresses = ["fd00::1/64"]
[device.tun4]
routes = ["10.1.0.0/16"]
up = false
[device.tun5]
anyone = true
user = "root"
[device.tun6]
routes = ["10.1.0.0/16", "10.1.0.0/16 via 10.0.0.2"]`, `
f:2:7: device "tun1": mac 02:00:5e:10:00:01: a tun device has none | mac = "02:00:5e:10:00:01" | only a tap can have one
f:4:7: device "tap2": mtu 65535: larger than 65521, the most of a tap | mtu = 65535 | 
f:6:7: device "tun3": mtu 1000: the kernel would take fd00::1/64 off the device | mtu = 1000 | an MTU of 1280 or more keeps it; to do without, remove the IPv6 addresses and routes first
f:9:10: device "tun4": route 10.1.0.0/16: the device is down | routes = ["10.1.0.0/16"] | up = true, or leave it out
f:12:10: anyone and a user or group exclude each other | anyone = true | 
f:14:2: device "tun6": route 10.1.0.0/16 via 10.0.0.2: asked for twice | [device.tun6] | `},
}

func TestAllMistakesOfAFileAreTold(t *testing.T) {
	for _, c := range wrongFiles {
		want := strings.TrimPrefix(c.want, "\n") + "\n"
		var wrong []string
		for line := range strings.Lines(shownFile(t, c.text)) {
			if strings.Contains(line, " | ") {
				wrong = append(wrong, line)
			}
		}
		if got := strings.Join(wrong, ""); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, want)
		}
	}
}

// TestWaysToWriteAFile says the same in TOML's other notations.
func TestWaysToWriteAFile(t *testing.T) {
	want := shownFile(t, "[device.tun1]\nmtu = 1400\nuser = 0\n[defaults]\nalias = \"a\"\n[device.tun2]\nanyone=true\n")
	for _, text := range []string{
		"defaults.alias = 'a'\ndevice.tun1.mtu = 1_400\ndevice.tun1.user = 0x0\ndevice.tun2 = { anyone = true }\n",
		"defaults = { alias = \"a\" }\n[device]\ntun1 = { mtu = +1400, user = \"0\" }\n\"tun2\".anyone = true\n",
		"\r\n[device]\r\n[device.'tun1']\r\nmtu = 0x578\r\nuser=0\r\n\r\n[defaults]\r\nalias = \"\"\"a\"\"\"\r\n[device.\"tun[2-2]\"]\r\nanyone = true",
	} {
		if got := shownFile(t, text); got != want || strings.Contains(got, "|") {
			t.Errorf("%q: got\n%s\nwant\n%s", text, got, want)
		}
	}
}

// TestAccessIsOneProperty: a device that names one of the three words takes none of them from the defaults.
func TestAccessIsOneProperty(t *testing.T) {
	got := shownFile(t, "[defaults]\nuser = \"u\"\ngroup = \"g\"\n[device.tun1]\n[device.tun2]\nuser = \"v\"\n[device.tun3]\nanyone = true\n[device.tun4]\nanyone = false\n")
	for _, want := range []string{"tun1 user u group g:", "tun2 user v:", "tun3 anyone:", "tun4:"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestReadFindsFiles has a directory beside a file, a device twice, an absent file, and files that must not be trusted.
func TestReadFindsFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	first := write("a.toml", "[device.tun1]\n", 0o600)
	write("d/20.toml", "[device.tun20]\n", 0o644)
	write("d/10.toml", "[device.tun10]\n", 0o444)
	write("d/.hidden.toml", "x", 0o644)
	write("d/other.txt", "x", 0o644)
	all, err := Read([]string{first, filepath.Join(dir, "d")})
	var names []string
	for _, d := range all {
		names = append(names, d.Spec.Name)
	}
	if got := strings.Join(names, " "); got != "tun1 tun10 tun20" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	write("d/30.toml", "\n[device.tun1]\n", 0o644)
	open := write("open.toml", "[device.tun9]\n", 0o664)
	_, err = Read([]string{first, filepath.Join(dir, "d"), open, filepath.Join(dir, "absent")})
	want := []string{
		filepath.Join(dir, "absent") + ": no such file or directory",
		filepath.Join(dir, "d/30.toml") + `:2:2: device "tun1" is declared twice: first at ` + first + ":1:2",
		open + ": others than its owner may write it (mode 0664)",
	}
	if got := fmt.Sprint(err); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if os.Getuid() == 0 {
		foreign := write("foreign.toml", "[device.tun9]\n", 0o644)
		if err := os.Chown(foreign, 65534, -1); err == nil { // a user namespace has no other user
			if _, err := Read([]string{foreign}); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
				t.Errorf("got %v", err)
			}
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
			if m.Line < 1 || m.Column < 1 || m.Line > strings.Count(text, "\n")+1 {
				t.Errorf("%v is no place in %q", m, text)
			}
		}
	})
}

// TestEveryKeyIsPrinted: what can be declared, export declares, and it reads as the same.
func TestEveryKeyIsPrinted(t *testing.T) {
	address, _ := netcfg.ParseAddress("10.0.0.1 peer 10.0.0.2")
	route, _ := netcfg.ParseRoute("10.1.0.0/16 via 10.0.0.2 metric 5 table 7")
	all := &netcfg.Device{
		Name: "tap\"é.0", Kind: "tun", Mode: netcfg.TAP, Persist: true, MultiQueue: true, PI: true, VnetHdr: true,
		Access: netcfg.Access{User: &netcfg.ID{Number: 1000, Name: "waldner"}, Group: &netcfg.ID{Number: 12}}, MTU: 1400, MAC: netcfg.MAC{2, 0, 0, 0, 0, 1}, TxQueueLen: 5,
		Alias: "a \"b\" \\ {n} \x01\x7f\u2028 é", Master: "br0", Promisc: true, Up: true, Addresses: []netcfg.Address{address}, Routes: []netcfg.Route{route},
	}
	open := &netcfg.Device{Name: "tun1", Kind: "tun", Mode: netcfg.TUN, MTU: 1500, TxQueueLen: 500, Multicast: true}
	text := ""
	for _, d := range []*netcfg.Device{all, open} {
		spec, _ := d.Spec()
		one, err := TOML(spec)
		if err != nil {
			t.Fatal(err)
		}
		text += one
		declared, mistakes := parse("f", []byte(one))
		if len(mistakes) > 0 {
			t.Fatalf("%v in\n%s", mistakes, one)
		}
		again := &declared[0].Spec
		again.Access = spec.Access
		if steps, err := netcfg.Plan(again, d); len(steps) > 0 || err != nil {
			t.Errorf("to do: %v, %v, by\n%s", steps, err, one)
		}
	}
	for _, k := range keys {
		if !strings.Contains(text, "\n"+k.name+" = ") {
			t.Errorf("%s is not printed in\n%s", k.name, text)
		}
	}
	for _, name := range []string{"tap[x", "tap[0-1]", "tap\xff"} {
		bad := *open
		bad.Name, bad.Mode = name, netcfg.TAP
		spec, _ := bad.Spec()
		if text, err := TOML(spec); err == nil {
			t.Errorf("%q: got\n%s", name, text)
		}
	}
}
