package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tunadm/tunadm/internal/files"
	"github.com/tunadm/tunadm/netcfg"
)

// patience is how long a run waits for another before it says so.
const patience = time.Second

// Lock keeps other runs out until the file that it gives back is closed, or the process ends. It waits for a run that is under way,
// and calls waiting when that takes longer than a second. The error is an [*netcfg.Error].
func Lock(ctx context.Context, waiting func()) (*os.File, error) {
	if err := os.Mkdir(Directory, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, refused(err)
	}
	f, err := files.Open(filepath.Join(Directory, "lock"), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, refused(err)
	}
	if err := checkDirectory(); err != nil {
		return nil, err
	}
	if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
		return f, clear(unfinished)
	}
	locked := make(chan error, 1)
	go func() { locked <- flock(f) }()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case <-late.C:
			waiting()
		case <-ctx.Done():
			return nil, &netcfg.Error{Cause: netcfg.Interrupted}
		case err := <-locked:
			if err != nil {
				return nil, refused(err)
			}
			return f, clear(unfinished)
		}
	}
}

// unfinished are records that a run was writing when it was killed.
const unfinished = Directory + "/*.json.new"

// clear removes unfinished records. Who holds the lock writes none meanwhile.
func clear(pattern string) error {
	left, _ := filepath.Glob(pattern) // the pattern is a good one
	for _, path := range left {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return refused(err)
		}
	}
	return nil
}

// flock waits for the lock, whatever signals come meanwhile.
func flock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// checkDirectory refuses a directory in which others could make us believe things.
func checkDirectory() error {
	info, err := os.Lstat(Directory)
	if err != nil {
		return refused(err)
	}
	stat, _ := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 || stat != nil && int(stat.Uid) != os.Geteuid() {
		return &netcfg.Error{Cause: netcfg.NotPermitted, Detail: fmt.Sprintf("%s is not this user's alone (%s)", Directory, info.Mode()), Fix: netcfg.Sentence("run it as root; " + Directory + " is a directory of mode 0700")}
	}
	return nil
}
