package sysctl

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/words"
)

// A Setting is a sysctl of a network device: net.FAMILY.conf.DEVICE.KEY or net.FAMILY.neigh.DEVICE.KEY.
type Setting struct {
	family, group, key string
	Value              string // as the kernel prints it, without white space around it
}

var nameOfSetting = words.Pattern(`^net\.(ipv4|ipv6)\.(conf|neigh)\.([a-z0-9_]+)$`)

// Parse returns the setting of a name without the device, such as net.ipv4.conf.rp_filter.
func Parse(name, value string) (Setting, error) {
	parts := nameOfSetting().FindStringSubmatch(name)
	if parts == nil {
		return Setting{}, fmt.Errorf("%q is not a sysctl of a device, written without the device: net.ipv4.conf.KEY, "+
			"net.ipv4.neigh.KEY, net.ipv6.conf.KEY or net.ipv6.neigh.KEY", name)
	}
	value = strings.Join(strings.Fields(value), "\t")
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r != '\t' && !words.Visible(r) }) {
		return Setting{}, errors.New("the value is empty, or has an invisible character")
	}
	return Setting{parts[1], parts[2], parts[3], value}, nil
}

// Name returns the name without the device.
func (s Setting) Name() string { return "net." + s.family + "." + s.group + "." + s.key }

// Line returns the setting of a device as a line of sysctl.d(5).
func (s Setting) Line(device string) string {
	separator := "."
	if strings.Contains(device, ".") {
		separator = "/" // sysctl(8) then takes the dots literally
	}
	name := strings.Join([]string{"net", s.family, s.group, device, s.key}, separator)
	return name + "=" + strings.ReplaceAll(s.Value, "\t", " ")
}

// Words returns the setting of a device as sysctl -w accepts it.
func (s Setting) Words(device string) string { return words.Quote(s.Line(device)) }

func (s Setting) path(device string) string {
	return "/proc/sys/net/" + s.family + "/" + s.group + "/" + device + "/" + s.key
}

// Read returns the setting with the present value of a device in the thread's network namespace. ok is false if the
// device has no such sysctl, or if it cannot be read.
func (s Setting) Read(device string) (now Setting, ok bool) {
	text, err := files.Read(s.path(device))
	s.Value = strings.Join(strings.Fields(string(text)), "\t")
	return s, err == nil
}

// ReadAll returns those of the settings that a device has, with its present values. The list is never nil.
func ReadAll(settings []Setting, device string) []Setting {
	all := []Setting{}
	for _, s := range settings {
		if now, ok := s.Read(device); ok {
			all = append(all, now)
		}
	}
	return all
}

// Write changes the value of a device in the thread's network namespace, after verify has found that the device still
// has the name. The file is open by then. The kernel writes to no other device through it, and fails with ENOENT if the
// device was deleted or renamed. The error is that of verify or of the kernel, with the reason in words if the device
// has no such sysctl, or if the kernel does not keep the value.
func (s Setting) Write(device string, verify func() error) error {
	err := s.write(device, verify)
	switch {
	case errors.Is(err, unix.ENOENT):
		return cmp.Or(verify(), error(&refused{"the device has no such sysctl", err}))
	case errors.Is(err, unix.EROFS):
		return &refused{"it cannot be changed", err}
	case errors.Is(err, unix.EINVAL):
		return &refused{"the kernel does not accept the value: " + err.Error(), err}
	}
	return err
}

// A refused is the error of a sysctl that a device does not have, that nobody may change, or whose value the kernel
// does not keep.
type refused struct {
	text string
	err  error // of the kernel; nil: it keeps another value
}

// Error returns the reason.
func (r *refused) Error() string { return r.text }

// Unwrap returns the kernel's error.
func (r *refused) Unwrap() error { return r.err }

func (s Setting) write(device string, verify func() error) error {
	f, err := files.Open(s.path(device), os.O_WRONLY, 0)
	if info, missing := os.Stat(s.path(device)); err != nil && missing == nil && info.Mode()&0o222 == 0 {
		return unix.EROFS
	}
	if err != nil {
		return bare(err)
	}
	defer f.Close()
	if err := verify(); err != nil {
		return err
	}
	for { // the kernel restarts a write that met another change of the network
		if _, err = f.Write([]byte(s.Value)); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return bare(err)
	}
	if now, ok := s.Read(device); ok && s.near(now) {
		return &refused{text: "the kernel rounds it to " + now.Value + ": write " + now.Value}
	}
	return nil
}

// near reports whether two values differ by at most a tick of the slowest clock, 10 milliseconds: the kernel keeps a
// time in ticks.
func (s Setting) near(now Setting) bool {
	const tick = 10
	asked, err := strconv.Atoi(s.Value)
	kept, other := strconv.Atoi(now.Value)
	return err == nil && other == nil && asked != kept && max(asked, kept)-min(asked, kept) <= tick
}

// bare returns the errno of an error of a file.
func bare(err error) error {
	if e := new(fs.PathError); errors.As(err, &e) {
		return e.Err
	}
	return err
}
