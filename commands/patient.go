package commands

import (
	"bytes"
	"context"
	"io"

	"github.com/tunadm/tunadm/internal/cause"
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
