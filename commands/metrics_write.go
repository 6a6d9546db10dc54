package commands

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/words"
)

// publish writes the file of --write. A signal does not end the program before the file has its name, because the
// unfinished file would remain.
func (o *metricsOptions) publish(text []byte) error {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	err := files.Publish(o.write, text)
	file, renamed := new(fs.PathError), new(os.LinkError)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrPermission):
		return &cause.Error{What: o.toWrite(), Cause: cause.NotPermitted, Fix: o.writable()}
	case errors.As(err, &file): // it has the name of the unfinished file
		err = file.Err
	case errors.As(err, &renamed):
		err = renamed.Err
	}
	return fmt.Errorf("%s: %w", o.toWrite(), err)
}

// writable returns the fix for a directory in which the file may not be created. Root needs no capability for that, but
// an attribute or a security module can forbid it.
func (o *metricsOptions) writable() fix.Fix {
	if os.Geteuid() != 0 {
		return fix.Sentence("run it as root, or name a file in a directory of this user")
	}
	return fix.Sentence("name a file in another directory, or run lsattr -d " + words.Quote(filepath.Dir(o.write)) +
		" to find out whether this one is immutable")
}

// toWrite names the file of --write.
func (o *metricsOptions) toWrite() string { return "--write: " + words.Escape(o.write) }

// canPublish returns an error if something other than a file has the name, which would be lost, or if there is no
// directory for it.
func (o *metricsOptions) canPublish() error {
	if o.write == "" {
		return nil
	}
	wrong := func(what string, hint fix.Fix) error {
		return &exitError{code: exitFailed, err: errors.New(o.toWrite() + ": " + what), fix: hint}
	}
	directory := filepath.Dir(o.write)
	switch info, err := os.Stat(directory); {
	case errors.Is(err, fs.ErrNotExist):
		return wrong("no such directory", fix.Sentence("mkdir -p "+words.Quote(directory)))
	case err == nil && !info.IsDir():
		return wrong(words.Escape(directory)+" is not a directory", fix.Fix{})
	}
	switch info, err := os.Lstat(o.write); {
	case err != nil || info.Mode().IsRegular():
		return nil
	case info.IsDir():
		return wrong("a directory", fix.Sentence("name a file in it: "+filepath.Join(o.write, "tunadm.prom")))
	}
	return wrong("not a regular file", fix.Sentence("name a file, or redirect standard output"))
}
