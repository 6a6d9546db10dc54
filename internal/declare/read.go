// Package declare reads and prints the file that declares devices: its keys, its ranges, its mistakes with their place,
// and the check that nobody else could have written it. It is the only importer of TOML.
package declare

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

// defaultFiles are the operands of a run without operands: a file and a directory, each of which may be absent.
var defaultFiles = []string{"/etc/tunadm.toml", "/etc/tunadm.d"}

// Stdin is the operand for standard input.
const Stdin = "-"

// A Declaration is one device that a file declares.
type Declaration struct {
	Spec   netcfg.Spec // without Access
	Access users.Names // not looked up yet, see [users.Directory]
	place  Place       // the start of its table
	source string      // the line there, as [Mistake.Source]
	caret  int         // as [Mistake.Caret]
}

// Where returns the place of the declaration as FILE:LINE.
func (d *Declaration) Where() string {
	return fmt.Sprintf("%s:%d", words.Escape(d.place.Path), d.place.Line)
}

// mistake returns a mistake at the start of the declaration.
func (d *Declaration) mistake(format string, args ...any) *Mistake {
	return &Mistake{Place: d.place, Text: fmt.Sprintf(format, args...), Source: d.source, Caret: d.caret}
}

// Read returns the declarations of files in the order of the operands. A directory is short for its *.toml files in the
// order of their names, [Stdin] for standard input, and an empty list for /etc/tunadm.toml and /etc/tunadm.d. The error
// joins the mistakes of all files, each a [*Mistake]; the declarations without mistakes are returned with it.
func Read(operands []string) ([]Declaration, error) {
	paths, mistakes := findFiles(operands)
	var all []Declaration
	declared, addresses := map[string]Place{}, map[string]Declaration{}
	for _, path := range paths {
		declarations, wrong := readFile(path)
		if all == nil {
			all = declarations[:0]
		}
		for _, d := range declarations {
			if first, twice := declared[d.Spec.Name]; twice {
				wrong = append(wrong, d.mistake("device %q is declared twice: first at %s", d.Spec.Name, first))
				continue
			}
			declared[d.Spec.Name] = d.place
			all = append(all, d)
			if d.Spec.MAC == nil {
				continue
			}
			mac := d.Spec.MAC.String()
			first, twice := addresses[mac]
			oneRange := first.place == d.place // without the number in mac, which has been reported
			if twice && !oneRange && !first.joins(&d) && !d.joins(&first) {
				text := "device %q has the MAC address %s of the device declared at %s"
				wrong = append(wrong, d.mistake(text, d.Spec.Name, mac, first.place))
			}
			if !first.joins(&d) {
				addresses[mac] = d
			}
		}
		mistakes = append(mistakes, wrong...)
	}
	mistakes = append(mistakes, wrongPorts(all, declared)...)
	errs := make([]error, len(mistakes))
	for i, m := range mistakes {
		errs[i] = m
	}
	return all, errors.Join(errs...)
}

// joins reports whether the device is declared as a port of the bridge, which by default has the MAC address of one of
// its ports.
func (d *Declaration) joins(bridge *Declaration) bool {
	m := d.Spec.Master
	return m != nil && bridge.Spec.Kind == netcfg.Bridge && m.Name == bridge.Spec.Name
}

// wrongPorts returns the mistakes of ports that are declared as something else, and of tuns in declared bridges.
func wrongPorts(all []Declaration, declared map[string]Place) (wrong []*Mistake) {
	ports, bridges := map[string]Place{}, map[string]bool{}
	for _, d := range all {
		bridges[d.Spec.Name] = d.Spec.Kind == netcfg.Bridge
	}
	for _, d := range all {
		if m := d.Spec.Master; m != nil && bridges[m.Name] && d.Spec.Mode == link.TUN && d.Spec.Kind == "" {
			text := "device %q is a tun, which cannot join the bridge declared at %s"
			tun := d.mistake(text, d.Spec.Name, declared[m.Name])
			tun.Fix = fix.Sentence(`write mode = "tap"`)
			wrong = append(wrong, tun)
		}
		for _, port := range d.Spec.Ports {
			if at, ours := declared[port]; ours {
				m := d.mistake("port %q of %s is declared at %s", port, words.Escape(d.Spec.Name), at)
				m.Fix = fix.Sentence(fmt.Sprintf("write master = %q there", d.Spec.Name))
				if bridges[port] {
					m.Fix = fix.Sentence("a bridge cannot be a port of another one")
				}
				wrong = append(wrong, m)
			} else if at, twice := ports[port]; twice {
				wrong = append(wrong, d.mistake("port %q is a port of the bridge declared at %s", port, at))
			}
			ports[port] = d.place
		}
	}
	return wrong
}

// Absolute returns operands that name the same files from every working directory. An empty list is short for
// the default files. Links in the path of its directory are resolved; the file itself may be missing. The error is an
// [*cause.Error].
func Absolute(operands []string) ([]string, error) {
	if len(operands) == 0 {
		operands = defaultFiles
	}
	all := make([]string, len(operands))
	for i, operand := range operands {
		if all[i] = operand; operand == Stdin {
			continue
		}
		path, err := filepath.Abs(operand)
		if err != nil {
			return nil, &cause.Error{Cause: cause.NotPermitted, Detail: "no working directory", Err: err}
		}
		if directory, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
			path = filepath.Join(directory, filepath.Base(path))
		}
		all[i] = path
	}
	return all, nil
}

// findFiles replaces each directory by its files.
func findFiles(operands []string) (paths []string, mistakes []*Mistake) {
	optional := len(operands) == 0
	if optional {
		operands = defaultFiles
	}
	for _, operand := range operands {
		if operand == Stdin {
			paths = append(paths, operand)
			continue
		}
		info, err := os.Stat(operand)
		switch {
		case operand == "":
			mistakes = append(mistakes, &Mistake{Place: Place{Path: `""`}, Text: "an empty file name"})
		case optional && errors.Is(err, fs.ErrNotExist) && !dangling(operand):
		case err != nil:
			mistakes = append(mistakes, unreadable(operand, err))
		case !info.IsDir():
			paths = append(paths, operand)
		default:
			names, m := readDirectory(operand)
			if m != nil {
				mistakes = append(mistakes, m)
			}
			for _, name := range names {
				paths = append(paths, filepath.Join(operand, name))
			}
		}
	}
	return paths, mistakes
}

// dangling reports whether a path is a link to a missing file: its file system may not be mounted yet.
func dangling(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// readDirectory returns the names of the files of a directory that declare devices, sorted.
func readDirectory(path string) (names []string, m *Mistake) {
	f, m := open(path)
	if m != nil {
		return nil, m
	}
	defer f.Close()
	all, err := f.Readdirnames(-1)
	if err != nil {
		return nil, unreadable(path, err)
	}
	for _, name := range all {
		if strings.HasSuffix(name, ".toml") && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// fileMax is the largest file that is read, in bytes. It has room for some hundred thousand devices.
const fileMax = 64 << 20

func readFile(path string) ([]Declaration, []*Mistake) {
	f := os.Stdin
	if path != Stdin {
		var m *Mistake
		if f, m = open(path); m != nil {
			return nil, []*Mistake{m}
		}
		defer f.Close()
	}
	data, err := io.ReadAll(io.LimitReader(f, fileMax+1))
	if err == nil && len(data) > fileMax {
		err = errors.New("larger than 64 MiB")
	}
	if err != nil {
		return nil, []*Mistake{unreadable(path, err)}
	}
	return parse(path, data)
}

// byteOrderMark is what some editors write before a text.
var byteOrderMark = []byte("\ufeff")

// parse returns the declarations of one file, and its mistakes in the order of their places, which have that path.
func parse(path string, data []byte) ([]Declaration, []*Mistake) {
	d := &document{
		path: path, data: slices.Clip(bytes.TrimPrefix(data, byteOrderMark)),
		wrong: map[int]*Mistake{}, sections: map[string]*section{},
	}
	if at := notText(d.data); at >= 0 {
		return nil, []*Mistake{{Place: d.place(at), Text: "not UTF-8 text"}}
	}
	d.read()
	declarations := d.declare()
	var mistakes []*Mistake
	for _, m := range d.wrong {
		mistakes = append(mistakes, m)
	}
	slices.SortFunc(mistakes, func(a, b *Mistake) int {
		return cmp.Or(a.Line-b.Line, a.column-b.column)
	})
	return declarations, mistakes
}

// notText returns the offset of the first byte that is not part of a text in UTF-8, or -1.
func notText(data []byte) int {
	for at := 0; at < len(data); {
		r, n := utf8.DecodeRune(data[at:])
		if r == 0 || r == utf8.RuneError && n == 1 {
			return at
		}
		at += n
	}
	return -1
}
