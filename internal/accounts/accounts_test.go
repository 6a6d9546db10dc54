package accounts

import (
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestAccounts reads lines of /etc/passwd and /etc/group, good and bad.
func TestAccounts(t *testing.T) {
	path := t.TempDir() + "/passwd"
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write("# a comment:x:1:\nroot:x:0:0:root:/root:/bin/sh\n+nis:x:5:5::\n-nis:x:6:\n:x:7:\nshort:x\nkim:x:70:71\n" +
		"twin:x:70:72\nkim:x:73:74\nbig:x:4294967296:1\nbad:x:seven:1\nlast:x:9:9")
	var f accounts
	f.read(path)
	for name, want := range map[string]string{
		"root": "0", "kim": "70", "twin": "70", "last": "9", "+nis": "", "-nis": "",
		"# a comment": "", "": "", "short": "", "big": "", "bad": "",
	} {
		if got := f.byName[name]; (got == nil) != (want == "") || got != nil && got[2] != want {
			t.Errorf("%q: got %q, want number %q", name, got, want)
		}
	}
	if got := f.byNumber[70].name(); got != "kim" {
		t.Errorf("number 70: got %q, want the first", got)
	}
	same := f.byName["kim"]
	if f.read(path); &f.byName["kim"][0] != &same[0] {
		t.Error("the file was read again, and had not changed")
	}
	write("new:x:5:5\n")
	if f.read(path); f.byName["new"] == nil || f.byName["root"] != nil {
		t.Error("the file was not read again, and had changed")
	}
	os.Remove(path)
	if f.read(path); len(f.list) != 0 {
		t.Error("a file that is gone has accounts")
	}
}

// TestGroupsOfAUser finds users and their groups.
func TestGroupsOfAUser(t *testing.T) {
	nstest.Enter(t)
	nstest.Accounts(t)
	var y Directory
	for user, want := range map[string][]uint32{"kim": {71, 10, 13}, "ken": {81, 10, 11, 13}} {
		if got, err := y.GroupsOf(user); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got groups %v, %v; want %v", user, got, err, want)
		}
	}
	want := map[string]Found{"tun": {Number: 11, Named: true}, "12": {Number: 12}, "": {Err: ErrEmpty},
		"4294967295": {Err: ErrLarge}, "99999999999999999999": {Err: ErrLarge}, "no such": {Err: ErrUnknown}}
	if got := y.Find(Groups, slices.Collect(maps.Keys(want))...); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := y.Names(Users, 80, 70); !maps.Equal(got, map[uint32]string{80: "ken", 70: "kim"}) {
		t.Errorf("got %v", got)
	}
}

// TestASilentNameService starts a getent that does not answer, and one that prints and does not end.
func TestASilentNameService(t *testing.T) {
	start := time.Now()
	if out, err := output([]string{"/bin/sleep", "100"}, start.Add(100*time.Millisecond)); err != ErrSilent {
		t.Errorf("got %q, %v", out, err)
	}
	if took := time.Since(start); took > nstest.Patience(10*time.Second) {
		t.Errorf("it took %v", took)
	}
	out, err := output([]string{"/bin/sh", "-c", "echo a:x:1; exit 2"}, time.Now().Add(nstest.Patience(10*time.Second)))
	if err != nil || string(out) != "a:x:1\n" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := output([]string{"/no/such/program"}, time.Now().Add(time.Second)); err == nil || err == ErrSilent {
		t.Errorf("got %v for a program that is not there", err)
	}
}
