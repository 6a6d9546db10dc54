package declare

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReadFindsFiles has a directory beside a file, a device declared twice, an absent file, and files that are not
// trusted.
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
		open + ": writable by users other than its owner (mode 0664)",
	}
	if got := fmt.Sprint(err); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if os.Getuid() == 0 {
		foreign := write("foreign.toml", "[device.tun9]\n", 0o644)
		if err := os.Chown(foreign, 65534, -1); err == nil { // a user namespace has no other user
			want := foreign + ": owned by UID 65534, not by root"
			if _, err := Read([]string{foreign}); fmt.Sprint(err) != want {
				t.Errorf("got %v, want %s", err, want)
			}
		}
	}
}

// TestHintsOfFiles: each error of a path has its own hint.
func TestHintsOfFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Chmod(dir, 0o700); err != nil { // with a umask of 002, the group may write to it
		t.Fatal(err)
	}
	if err := syscall.Mkfifo("fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"open", "-open"} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("shared", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod("shared", 0o777); err != nil {
		t.Fatal(err)
	}
	install := "install -m 0644 "
	if os.Geteuid() == 0 {
		install += "-o root "
	}
	for path, want := range map[string]string{
		"fifo":      "the operand - reads standard input",
		"/dev/null": "the operand - reads standard input",
		"absent":    "the operand is a file or a directory that declares devices",
		"./absent":  "",
		"open":      install + "-T open open.new; read the copy, then mv open.new open",
		"-open":     install + "-T ./-open ./-open.new; read the copy, then mv ./-open.new ./-open",
		"shared":    "read the files in it, and install copies of them in a directory that only root can write",
	} {
		_, err := Read([]string{path})
		var m *Mistake
		if !errors.As(err, &m) {
			t.Errorf("%s: got %v", path, err)
		} else if got := m.Hint().String(); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

// TestAPortMayHaveTheMACOfItsBridge reads a bridge that has the MAC address of its port, as the kernel chooses it. A
// third device cannot have it.
func TestAPortMayHaveTheMACOfItsBridge(t *testing.T) {
	bridge, mac := "[bridge.br0]\nmac = \"02:00:5e:10:00:01\"\n", "mac = \"02:00:5e:10:00:01\"\nmaster = \"br0\"\n"
	path := filepath.Join(t.TempDir(), "f.toml")
	for text, twice := range map[string]bool{
		bridge + "[device.tap1]\n" + mac:                                 false,
		"[device.tap1]\n" + mac + bridge:                                 false,
		bridge + "[device.tap1]\n" + mac + "[device.tap2]\n" + mac:       true,
		"[device.tap1]\n" + mac + bridge + "[device.tap2]\n" + mac:       true,
		bridge + strings.Replace("[device.tap1]\n"+mac, "br0", "br1", 1): true,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read([]string{path}); (err != nil) != twice {
			t.Errorf("%s\ngot %v", text, err)
		}
	}
}

// TestOneMACForTwoDevices: two devices of one Ethernet segment cannot have the same address.
func TestOneMACForTwoDevices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.toml")
	text := `[device.tap1]
mac = "02:00:5e:10:00:01"
[device.tap2]
mac = "02-00-5E-10-00-01"
[device.tun1]
[device.tun2]
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Read([]string{path})
	const mistake = ":3:2: device \"tap2\" has the MAC address 02:00:5e:10:00:01 of the device declared at "
	want := path + mistake + path + ":1:2"
	if fmt.Sprint(err) != want {
		t.Errorf("got %v, want %s", err, want)
	}
	text = `[device."tap[0-3]"]
mac = "02:00:5e:10:00:01"
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = Read([]string{path})
	if want := path + ":2:7: mac: the devices of a range require different addresses"; fmt.Sprint(err) != want {
		t.Errorf("a range: got %v, want %s", err, want)
	}
}
