package commands

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/poll"
)

// A patient writer waits for a slow reader until its context ends. Then it returns io.EOF, which ends the run.
type patient struct {
	ctx context.Context
	out io.Writer
}

func (w patient) Write(text []byte) (int, error) {
	written, text := make(chan error, 1), bytes.Clone(text) // the caller reuses it
	go func() {
		_, err := w.out.Write(text)
		written <- err
	}()
	select {
	case err := <-written:
		return len(text), err
	case <-w.ctx.Done():
		return 0, io.EOF
	}
}

// A prompt writer waits for a slow reader until its context ends, and a moment longer for the last words of the run.
// Then it drops everything, so that a full pipe or a stopped terminal does not keep a signal from ending the run.
type prompt struct {
	ctx     context.Context
	file    *os.File
	dropped atomic.Bool
}

// promptly returns a prompt writer for a file, and any other writer as it is.
func promptly(ctx context.Context, w io.Writer) io.Writer {
	switch w := w.(type) {
	case *os.File:
		return &prompt{ctx: ctx, file: w}
	case tidy:
		return tidy{w.progress, promptly(ctx, w.out)}
	}
	return w
}

// plainly returns the file of a prompt or tidy writer, for another program.
func plainly(w io.Writer) io.Writer {
	switch w := w.(type) {
	case *prompt:
		return w.file
	case tidy:
		return plainly(w.out)
	}
	return w
}

func (w *prompt) Write(text []byte) (written int, err error) {
	const atOnce = 4096 // bytes, see poll.Output
	for part := range slices.Chunk(text, atOnce) {
		if !w.ready() {
			return written, &cause.Error{Cause: cause.Interrupted}
		}
		n, err := w.file.Write(part)
		if written += n; err != nil {
			return written, err
		}
	}
	return written, nil
}

// ready waits until the file can be written to, and reports whether it can.
func (w *prompt) ready() bool {
	const interval, last = 50 * time.Millisecond, 200 * time.Millisecond
	for fd := int(w.file.Fd()); !w.dropped.Load(); {
		ended := w.ctx.Err() != nil
		wait := interval
		if ended {
			wait = last
		}
		if poll.Output(fd, time.Now().Add(wait)) {
			return true
		}
		w.dropped.Store(ended)
	}
	return false
}

// untilSignal does work that may block forever, such as reading standard input, a file of a dead server, or from a name
// service. If the context ends, it abandons the work and returns a [*cause.Error] with the cause Interrupted.
func untilSignal[T any](ctx context.Context, work func() (T, error)) (result T, err error) {
	done := make(chan struct{})
	var worked T
	var failed error
	go func() {
		defer close(done)
		worked, failed = work()
	}()
	select {
	case <-done:
		return worked, failed
	case <-ctx.Done():
		return result, &cause.Error{Cause: cause.Interrupted}
	}
}
