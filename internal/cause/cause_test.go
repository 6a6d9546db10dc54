package cause

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/rtnl"
)

func TestTheCausesAreAllInTheTable(t *testing.T) {
	if got, want := len(causes), int(NotExecutable)+1; got != want {
		t.Errorf("got %d causes in the table, want %d", got, want)
	}
}

func TestErrorsKeepTheKernelsWordsLastAndHintsPasteable(t *testing.T) {
	for _, c := range []struct {
		e          *Error
		text, hint string
	}{
		{&Error{Device: "tun7", What: "mtu 70000", Cause: Unknown,
			Err: &rtnl.Refusal{Errno: 22, Words: "mtu greater than device maximum."}},
			"mtu 70000: invalid argument: mtu greater than device maximum", ""},
		{&Error{Device: "a b", Cause: Exists}, "exists already",
			"tunadm set 'a b' changes it; --if-missing accepts a device with these properties"},
		{&Error{Device: "tun7", Cause: InUse, Detail: "in use by x", Err: unix.EBUSY},
			"in use by x", ""},
		{&Error{What: "master br0", Cause: NoMaster,
			Fix: fix.Run(fix.InNamespace("ip", "link", "add", "br0", "type", "bridge")),
			Err: errors.New("no such device")},
			"master br0: no such device", "ip link add br0 type bridge"},
	} {
		if c.e.Error() != c.text || c.e.Hint().String() != c.hint {
			t.Errorf("got %q and %q, want %q and %q", c.e.Error(), c.e.Hint().String(), c.text, c.hint)
		}
	}
	if !errors.Is(error(&Error{Err: &rtnl.Refusal{Errno: unix.EBUSY}}), unix.EBUSY) {
		t.Error("the errno is lost")
	}
}
