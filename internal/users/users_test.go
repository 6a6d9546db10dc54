package users

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tunadm/tunadm/internal/nstest"
)

// TestNamesOfUsersAndGroups finds the number of a group, and the names of a user and a group.
func TestNamesOfUsersAndGroups(t *testing.T) {
	nstest.Enter(t)
	nstest.Accounts(t)
	var y Directory
	if id, err := y.parseGroup("tun"); err != nil || id != (ID{11, "tun"}) {
		t.Errorf("got %v, %v", id, err)
	}
	user, group := ID{Number: 80}, ID{Number: 10}
	if y.Name([]*ID{&user}, []*ID{&group}); user.Name != "ken" || group.Name != "wheel" {
		t.Errorf("got %v, %v", user, group)
	}
}

func TestAccessInWords(t *testing.T) {
	user, group := &ID{1000, "waldner"}, &ID{Number: 107}
	for want, a := range map[string]Access{"waldner": {User: user}, "107(group)": {Group: group},
		"waldner+107(group)": {user, group}, "anyone": {}, "root": *Root()} {
		if got := a.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestUsersByNameAndNumber(t *testing.T) {
	for text, want := range map[string]string{
		"root": "0", "0": "0", "4294967294": "4294967294", "4294967295": "larger",
		"99999999999999999999": "larger", "no-such-user": "no such user", "": "the name is empty",
		" 0": "no such user", "+0": "no such user", "-1": "no such user",
	} {
		id, err := new(Directory).parseUser(text)
		got := fmt.Sprint(id.Number)
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("parseUser(%q) = %v, %v; want %q", text, id, err, want)
		}
	}
}
