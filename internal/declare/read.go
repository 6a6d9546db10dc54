package declare

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/tunadm/tunadm/netcfg"
)

// DefaultFiles is where devices are declared when no file is named: the first if it is there, then those of the second.
var DefaultFiles = []string{"/etc/tunadm.toml", "/etc/tunadm.d"}

// Stdin is the operand that stands for standard input.
const Stdin = "-"

// A Declaration is one device as a file declares it.
type Declaration struct {
	Spec   netcfg.Spec        // complete but for Access
	Access netcfg.AccessNames // to be looked up, see [netcfg.Directory]
	Place  Place              // where its table begins
	source string             // the line there, as [Mistake.Source]
	caret  int
}

// A Place is a byte of a file. Lines and columns (in characters) count from 1; a Line of 0 is the file as a whole.
type Place struct {
	Path         string
	Line, Column int
}

func (p Place) String() string {
	if p.Line == 0 {
		return netcfg.Escape(p.Path)
	}
	return fmt.Sprintf("%s:%d:%d", netcfg.Escape(p.Path), p.Line, p.Column)
}

// A Mistake is something in a file that cannot be understood, or a file that cannot be read.
type Mistake struct {
	Place
	Text, Hint string
	Source     string // the line as it stands in the file, or the part of a long one around the place; "": none
	Caret      int    // how many bytes of Source stand before the place
}

func (m *Mistake) Error() string { return m.Place.String() + ": " + m.Text }

// Read reads what the files declare, in their order; a directory stands for its *.toml in the order of their names, [Stdin]
// for standard input, and no operands for [DefaultFiles], which may be absent. The error joins all mistakes of all files, each a
// [*Mistake]; the declarations that could be understood are given back all the same.
func Read(operands []string) ([]Declaration, error) {
	paths, mistakes := findFiles(operands)
	var all []Declaration
	declared, addresses := map[string]Place{}, map[string]Place{}
	for _, path := range paths {
		declarations, wrong := readFile(path)
		all = slices.Grow(all, len(declarations))
		for _, d := range declarations {
			if first, twice := declared[d.Spec.Name]; twice {
				wrong = append(wrong, &Mistake{Place: d.Place, Text: fmt.Sprintf("device %q is declared twice: first at %s", d.Spec.Name, first), Source: d.source, Caret: d.caret})
				continue
			}
			if first, twice := addresses[d.Spec.MAC.String()]; twice && d.Spec.MAC != nil {
				wrong = append(wrong, &Mistake{Place: d.Place, Text: fmt.Sprintf("device %q has the mac %s of the device at %s", d.Spec.Name, d.Spec.MAC, first), Source: d.source, Caret: d.caret})
			}
			addresses[d.Spec.MAC.String()] = d.Place
			declared[d.Spec.Name] = d.Place
			all = append(all, d)
		}
		mistakes = append(mistakes, wrong...)
	}
	errs := make([]error, len(mistakes))
	for i, m := range mistakes {
		errs[i] = m
	}
	return all, errors.Join(errs...)
}

// findFiles puts the files in the place of their directories.
func findFiles(operands []string) (paths []string, mistakes []*Mistake) {
	optional := len(operands) == 0
	if optional {
		operands = DefaultFiles
	}
	for _, operand := range operands {
		if operand == Stdin {
			paths = append(paths, operand)
			continue
		}
		info, err := os.Stat(operand)
		switch {
		case operand == "":
			mistakes = append(mistakes, &Mistake{Place: Place{Path: `""`}, Text: "an empty word is no file"})
		case optional && errors.Is(err, fs.ErrNotExist) && !dangling(operand):
		case err != nil:
			mistakes = append(mistakes, unreadable(operand, err))
		case !info.IsDir():
			paths = append(paths, operand)
		default:
			entries, m := readDirectory(operand)
			if m != nil {
				mistakes = append(mistakes, m)
			}
			for _, e := range entries { // in the order of their names
				if strings.HasSuffix(e.Name(), ".toml") && !strings.HasPrefix(e.Name(), ".") {
					paths = append(paths, filepath.Join(operand, e.Name()))
				}
			}
		}
	}
	return paths, mistakes
}

// dangling says that a path is a link to what is not there: a file system that is not mounted, perhaps.
func dangling(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// readDirectory lists a directory that only its owner, and if root reads it only root, can put files into or take them from.
func readDirectory(path string) ([]fs.DirEntry, *Mistake) {
	f, m := openFile(path)
	if m != nil {
		return nil, m
	}
	defer f.Close()
	entries, err := f.ReadDir(-1)
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	if err != nil {
		return nil, unreadable(path, err)
	}
	return entries, nil
}

func unreadable(path string, err error) *Mistake {
	if e := new(fs.PathError); errors.As(err, &e) {
		err = e.Err // it names the path once more
	}
	m := &Mistake{Place: Place{Path: path}, Text: err.Error()}
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(path, "/.") {
		m.Hint = "a file or a directory stands here; it declares the devices"
	}
	return m
}

func readFile(path string) ([]Declaration, []*Mistake) {
	f := os.Stdin
	if path != Stdin {
		var m *Mistake
		if f, m = openFile(path); m != nil {
			return nil, []*Mistake{m}
		}
		defer f.Close()
	}
	data, err := io.ReadAll(io.LimitReader(f, fileMost+1))
	if err == nil && len(data) > fileMost {
		err = errors.New("larger than 64 MiB")
	}
	if err != nil {
		return nil, []*Mistake{unreadable(path, err)}
	}
	return parse(path, data)
}

// fileMost is how many bytes of a file are read: some hundred thousand devices.
const fileMost = 64 << 20

// byteOrderMark is what some editors put before a text.
var byteOrderMark = []byte("\ufeff")

// notText is the offset of the first byte that is in no text, or -1.
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

// parse reads the declarations of one file; path is for the mistakes alone, which come in the order of their lines.
func parse(path string, data []byte) ([]Declaration, []*Mistake) {
	d := &document{path: path, data: slices.Clip(bytes.TrimPrefix(data, byteOrderMark)), wrong: map[int]*Mistake{}, sections: map[string]*section{}}
	if at := notText(d.data); at >= 0 {
		return nil, []*Mistake{{Place: d.place(at), Text: "this is no text in UTF-8"}}
	}
	d.read()
	declarations := d.declare()
	var mistakes []*Mistake
	for _, m := range d.wrong {
		mistakes = append(mistakes, m)
	}
	slices.SortFunc(mistakes, func(a, b *Mistake) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return declarations, mistakes
}
