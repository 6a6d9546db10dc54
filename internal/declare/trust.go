package declare

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
)

// installCopies is the fix of a directory that others can change.
const installCopies = "read the files in it, and install copies of them in a directory that only root can write"

// open opens a file or a directory that nobody else could have written, since root's apply does what it declares.
func open(path string) (*os.File, *Mistake) {
	f, err := files.OpenTrusted(path)
	if err == nil {
		return f, nil
	}
	m := unreadable(path, err)
	var kind files.WrongKind
	var untrusted *files.Untrusted
	switch above := new(files.Above); {
	case errors.As(err, &above):
		m.Fix = copyOf(path)
	case errors.As(err, &kind) && (kind == files.FIFO || kind == files.DeviceNode):
		m.Fix = fix.Sentence("the operand - reads standard input")
	case errors.As(err, &untrusted) && untrusted.Directory:
		m.Fix = fix.Sentence(installCopies)
	case errors.As(err, &untrusted):
		m.Fix = copyOf(path)
	}
	return nil, m
}

// unreadable is the mistake of a file that cannot be read.
func unreadable(path string, err error) *Mistake {
	if e := new(fs.PathError); errors.As(err, &e) {
		err = e.Err // it has the path too
	}
	m := &Mistake{Place: Place{Path: path}, Text: err.Error()}
	if errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(path, "/.") {
		m.Fix = fix.Sentence("the operand is a file or a directory that declares devices")
	}
	return m
}

// copyOf returns the commands that replace a file by a copy of the reader's own. A new owner or a new mode is not
// enough: a process that has the file open for writing keeps writing. The copy is read before it is used, so it must
// be in a directory where nobody else can exchange it.
func copyOf(path string) fix.Fix {
	install := []string{"install", "-m", "0644"}
	if os.Geteuid() == 0 {
		install = append(install, "-o", "root")
	}
	install = append(install, "-T")
	if _, err := os.Readlink(path); err == nil || files.CheckPrivate(filepath.Dir(path)) != nil ||
		files.CheckAbove(path) != nil {
		home, _ := os.UserHomeDir()
		install = append(install, "--", path, filepath.Join(home, filepath.Base(path)))
		return fix.Fix{
			Commands: []fix.Command{{Words: install}}, After: "; read the copy, and name it instead",
		}
	}
	if strings.HasPrefix(path, "-") {
		path = "./" + path
	}
	rename := fix.Command{Words: []string{"mv", path + ".new", path}}
	return fix.Fix{
		Commands: []fix.Command{{Words: append(install, path, path+".new")}},
		After:    "; read the copy, then " + rename.String(),
	}
}
