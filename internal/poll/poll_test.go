package poll

import (
	"context"
	"os"
	"testing"
	"time"
)

// TestWaiter waits for each kind of event, and for none.
func TestWaiter(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pipe := func() (r, w *os.File) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.Close(); w.Close() })
		return r, w
	}
	read, write := pipe()
	reader, out := pipe()
	w, stop, err := New(ctx, out, -1, int(read.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, c := range []struct {
		name string
		do   func()
		want [5]bool // stopped, unread, ready 0, ready 1, failed 1
	}{
		{"nothing", func() {}, [5]bool{}},
		{"a byte", func() { _, _ = write.Write([]byte{1}) }, [5]bool{3: true}},
		{"the writer is gone", func() { write.Close() }, [5]bool{3: true, 4: true}},
		{"the reader is gone", func() { reader.Close() }, [5]bool{1: true, 3: true, 4: true}},
	} {
		c.do()
		if err := w.Wait(time.Now().Add(time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if got := [5]bool{w.Stopped(), w.Unread(), w.Ready(0), w.Ready(1), w.Failed(1)}; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	cancel()
	for deadline := time.Now().Add(10 * time.Second); !w.Stopped(); {
		if err := w.Wait(deadline); err != nil || time.Now().After(deadline) {
			t.Fatal("the end of the context is not seen: ", err)
		}
	}
}
