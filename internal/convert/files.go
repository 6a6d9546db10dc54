package convert

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/words"
)

// Stdin is the operand for standard input.
const Stdin = "-"

const stdinName = "standard input"

// sizeMax is the size of the largest file that is read, in bytes.
const sizeMax = 1 << 20

// Read returns the files of the operands. A directory is short for its files; those of an unknown format are skipped.
// Without operands, the files are the usual ones of the format, or of all formats if it is "".
func Read(operands []string, format string) (all []*Source, err error) {
	var errs []error
	for _, operand := range operands {
		more, err := readOperand(operand, format)
		all, errs = append(all, more...), append(errs, err)
	}
	if len(operands) > 0 {
		return all, errors.Join(errs...)
	}
	for _, f := range formats() {
		if format != "" && f.name != format {
			continue
		}
		for _, place := range f.places {
			more, err := readOperand(place, f.name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			for _, s := range more {
				s.format = f.name
			}
			all, errs = append(all, more...), append(errs, err)
		}
	}
	return all, errors.Join(errs...)
}

// readOperand reads a file or a directory.
func readOperand(path, format string) ([]*Source, error) {
	if path == Stdin {
		text, err := io.ReadAll(io.LimitReader(os.Stdin, sizeMax+1))
		if err == nil && len(text) > sizeMax {
			err = errTooLarge
		}
		return []*Source{newSource(stdinName, string(text))}, err
	}
	if path == "" {
		return nil, errors.New(`"": an empty file name`)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !info.IsDir() {
		s, err := readFile(path)
		return []*Source{s}, err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	var all []*Source
	var errs []error
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() || e.Name()[0] == '.' {
			continue
		}
		s, err := readFile(name)
		if errs = append(errs, err); err == nil && (format != "" || detect(s) != nil) {
			all = append(all, s)
		}
	}
	return all, errors.Join(errs...)
}

var errTooLarge = errors.New("larger than 1 MiB")

// readFile reads a regular file.
func readFile(path string) (*Source, error) {
	f, err := files.OpenNow(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, unreadable(path, errors.New("not a regular file"))
	}
	text, err := io.ReadAll(io.LimitReader(f, sizeMax+1))
	if err == nil && len(text) > sizeMax {
		err = errTooLarge
	}
	if err != nil {
		return nil, unreadable(path, err)
	}
	return newSource(path, string(text)), nil
}

// unreadable returns the error of a file that cannot be read.
func unreadable(path string, err error) error {
	if number := syscall.Errno(0); errors.As(err, &number) {
		err = number
	}
	return fmt.Errorf("%s: %w", words.Escape(path), err)
}

// identity returns the path of a file without symbolic links.
func identity(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if whole, err := filepath.Abs(path); err == nil {
		path = whole
	}
	return path
}

// matching returns the files of a pattern of source in interfaces(5), in the order of their names. A relative pattern
// begins at the directory of the file.
func matching(pattern, from string) []string {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(filepath.Dir(from), pattern)
	}
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil
	}
	return slices.DeleteFunc(names, func(name string) bool {
		info, err := os.Stat(name)
		return err != nil || info.IsDir()
	})
}
