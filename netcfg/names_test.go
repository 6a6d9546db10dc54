package netcfg

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestNamesOfUsersAndGroups reads a group, and names the owner and the group of a device, from files in /etc that the
// test replaces in its own mount namespace.
func TestNamesOfUsersAndGroups(t *testing.T) {
	nstest.Enter(t)
	for path, text := range map[string]string{
		"/etc/passwd": "root:x:0:0::/:\nkim:x:70:71::/:\nken:x:80:81::/:\n",
		"/etc/group":  "kim:x:71:\nwheel:x:10:kim,ken\ntun:x:11:ken\n",
	} {
		file := t.TempDir() + "/file"
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(file, path, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
	}
	var y Directory
	if id, err := y.parseGroup("tun"); err != nil || id != (ID{11, "tun"}) {
		t.Errorf("got %v, %v", id, err)
	}
	d := &Device{Access: Access{User: &ID{Number: 80}, Group: &ID{Number: 10}}}
	if y.nameAll([]*Device{d}); d.Access.User.Name != "ken" || d.Access.Group.Name != "wheel" {
		t.Errorf("got %v", d.Access)
	}
}
