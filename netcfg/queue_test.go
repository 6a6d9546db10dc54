package netcfg

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAttach sends a packet through an attached queue, and attaches where that cannot be.
func TestAttach(t *testing.T) {
	k := open(t)
	add(t, k, Spec{Name: "tun7", Mode: TUN, Link: Link{Up: on(true)}, Addresses: addresses("10.0.0.1/24")})
	add(t, k, Spec{Name: "tap8", Mode: TAP, MultiQueue: on(true)})
	for _, c := range []struct {
		name  string
		a     Attachment
		cause Cause
	}{
		{"none", Attachment{}, NoDevice}, {"lo", Attachment{}, OtherKind}, {"tun7", Attachment{Queues: 2}, WrongQueues},
	} {
		_, _, err := k.Attach(c.name, c.a)
		if e := new(Error); !errors.As(err, &e) || e.Cause != c.cause {
			t.Errorf("%s %+v: %v", c.name, c.a, err)
		}
	}
	d, files, err := k.Attach("tun7", Attachment{VnetHdr: true, Offload: true})
	if err != nil || d.Mode != TUN || len(files) != 1 {
		t.Fatal(d, files, err)
	}
	if _, _, err := k.Attach("tun7", Attachment{}); !errors.Is(err, unix.EBUSY) {
		t.Errorf("a second program: %v", err)
	}
	packet := make([]byte, 1<<16)
	n, err := files[0].Write(packet[:VnetHeader])
	if err == nil {
		t.Errorf("a header without a packet: %d", n)
	}
	if err := closeAll(files); err != nil {
		t.Error(err)
	}
	_, files, err = k.Attach("tap8", Attachment{Queues: 3})
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	if now, err := k.Devices("tap8"); err != nil || now[0].Queues != 3 {
		t.Errorf("%+v, %v", now, err)
	}
	if err := closeAll(files); err != nil {
		t.Error(err)
	}
}
