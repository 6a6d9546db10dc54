package netcfg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/nstest"
	"github.com/tunadm/tunadm/internal/sysctl"
	"github.com/tunadm/tunadm/internal/users"
)

// TestASysctlIsNotWrittenToANamesake gives the name of a device, or its name and index, to another device after the
// file of its sysctl is opened: neither is changed.
func TestASysctlIsNotWrittenToANamesake(t *testing.T) {
	for name, meddle := range map[string][]string{
		"renamed":  {"link set br0 name br1", "link add br0 type bridge"},
		"replaced": {"link del br0", "link add br0 index 777 type bridge"},
	} {
		for _, key := range []string{"net.ipv4.conf.rp_filter", "net.ipv6.neigh.gc_stale_time"} {
			t.Run(name+" "+key, func(t *testing.T) {
				open(t)
				meddle := meddle
				ip(t, "link add br0 index 777 type bridge")
				setting := parsed(t, key)
				was, _ := setting.Read("br0")
				err := setting.Write("br0", func() error {
					for ; len(meddle) > 0; meddle = meddle[1:] {
						ip(t, meddle[0])
					}
					return nil
				})
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("write: %v", err)
				}
				for _, device := range []string{"br0", "br1"} {
					if now, ok := setting.Read(device); ok && now != was {
						t.Errorf("%s: %q, want %q", device, now, was)
					}
				}
			})
		}
	}
}

func parsed(t *testing.T, key string) sysctl.Setting {
	setting, err := sysctl.Parse(key, "2")
	if err != nil {
		t.Fatal(err)
	}
	return setting
}

// TestANamesakeWithTheIndexKeepsItsSysctls lets another program delete a tap, and create a device with the same name
// and index, right before the sysctls are written. A new tap is known by its descriptor, any other by its kind.
func TestANamesakeWithTheIndexKeepsItsSysctls(t *testing.T) {
	for _, c := range []struct {
		name    string
		exists  bool
		foreign func(t *testing.T, index int)
	}{
		{"a bridge instead of a new tap", false, bridgeWithIndex},
		{"a tap instead of a new tap", false, tapWithIndex},
		{"a bridge instead of a tap", true, bridgeWithIndex},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := open(t)
			if c.exists {
				ip(t, "tuntap add dev tap0 mode tap user root")
			}
			setting, theirs := parsed(t, "net.ipv4.conf.rp_filter"), ""
			options := Options{Log: func(s Step) {
				if s.Kind == StepCreate && s.Device == "tap1" {
					now, err := k.link("tap0", 0)
					if err != nil {
						t.Fatal(err)
					}
					ip(t, "link del tap0")
					c.foreign(t, now.Index)
					theirs = ip(t, "-d -o link show tap0")
				}
			}}
			tap := Spec{Mode: link.TAP, Access: users.Root()}
			first, second := tap, tap
			first.Name, first.Sysctls, second.Name = "tap0", []sysctl.Setting{setting}, "tap1"
			results, err := k.Run(context.Background(), []Change{
				{Name: "tap0", Expect: PresentOrNot, Want: &first}, {Name: "tap1", Expect: PresentOrNot, Want: &second},
			}, options)
			if err != nil {
				t.Fatal(err)
			}
			if cause.Of(results[0].Err) != cause.NoDevice || results[1].Err != nil {
				t.Errorf("%+v", results)
			}
			now, _ := setting.Read("tap0")
			if after := ip(t, "-d -o link show tap0"); theirs == "" || after != theirs || now == setting {
				t.Errorf("got:\n%s\nwant:\n%s\n%v", after, theirs, now)
			}
		})
	}
}

func bridgeWithIndex(t *testing.T, index int) {
	ip(t, fmt.Sprintf("link add dev tap0 index %d type bridge", index))
}

func tapWithIndex(t *testing.T, index int) {
	fd, err := unix.Open(nstest.Driver, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	ifr, err := unix.NewIfreq("tap0")
	if err != nil {
		t.Fatal(err)
	}
	ifr.SetUint16(unix.IFF_TAP)
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETIFINDEX, index); err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		t.Fatal(err)
	}
}

// TestASysctlOfAnotherDeviceIsNotWritten plans a sysctl of a device whose name another one has by then.
func TestASysctlOfAnotherDeviceIsNotWritten(t *testing.T) {
	ns := open(t)
	ip(t, "link add br0 type bridge")
	setting := parsed(t, "net.ipv4.conf.rp_filter")
	now, err := ns.link("br0", 0)
	if err != nil {
		t.Fatal(err)
	}
	for index, want := range map[int]cause.Cause{now.Index + 1: cause.NoDevice, now.Index: cause.Unknown} {
		step := &task{Step: Step{Kind: StepSysctl, Device: "br0", Index: index, sysctl: &setting, old: now}}
		if err := ns.writeSysctls([]*task{step})[0]; cause.Of(err) != want || (err == nil) != (index == now.Index) {
			t.Errorf("index %d: %v", index, err)
		}
		value := strings.TrimSpace(nstest.Run(t, "sysctl", "-n", "net.ipv4.conf.br0.rp_filter"))
		if (value == "2") != (index == now.Index) {
			t.Errorf("index %d: %q", index, value)
		}
		ip(t, "link del br0")
		ip(t, fmt.Sprintf("link add br0 index %d type bridge", now.Index))
	}
}
