package commands

import (
	"bytes"
	"context"
	"io"
)

// A patient writer waits for a slow reader, but not beyond the end of its context: then it gives io.EOF back, which ends the run.
type patient struct {
	ctx context.Context
	out io.Writer
}

func (w patient) Write(text []byte) (int, error) {
	written, text := make(chan error, 1), bytes.Clone(text) // the caller uses it again
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
