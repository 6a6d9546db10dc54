package poll

import (
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestExpect waits for an event that comes before and after the scheduler learns of the wait, for a deadline in both
// parts, and while signals interrupt the wait.
func TestExpect(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	w, stop, err := New(t.Context(), nil, int(read.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	expect := func(deadline time.Time) time.Duration {
		t.Helper()
		start := time.Now()
		if err := w.Expect(deadline); err != nil {
			t.Fatal(err)
		}
		return time.Since(start)
	}
	for _, after := range []time.Duration{-time.Hour, expectAwake / 2, 2 * expectAwake} {
		if took := expect(time.Now().Add(after)); took < after || w.Ready(0) {
			t.Errorf("a deadline in %v: %v, ready: %t", after, took, w.Ready(0))
		}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := unix.Gettid()
	for _, after := range []time.Duration{0, expectAwake / 2, 3 * expectAwake} {
		go func() {
			for end := time.Now().Add(after); time.Now().Before(end); time.Sleep(time.Millisecond) {
				_ = unix.Tgkill(os.Getpid(), thread, unix.SIGURG) // which the runtime ignores
			}
			_, _ = write.Write([]byte{1})
		}()
		if took := expect(time.Time{}); took < after || !w.Ready(0) {
			t.Errorf("an event in %v: %v, ready: %t", after, took, w.Ready(0))
		}
		if _, err := read.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWatch changes what a Waiter waits for.
func TestWatch(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	defer write.Close()
	w, stop, err := New(t.Context(), nil, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, c := range []struct {
		name        string
		file        *os.File
		read, write bool
		ready       bool
	}{
		{"nothing to read", read, true, false, false},
		{"room to write", write, false, true, true},
		{"errors only", write, false, false, false},
	} {
		w.Watch(0, int(c.file.Fd()), c.read, c.write)
		if err := w.Expect(time.Now().Add(time.Millisecond)); err != nil || w.Ready(0) != c.ready {
			t.Errorf("%s: ready: %t, %v", c.name, w.Ready(0), err)
		}
	}
	read.Close()
	if err := w.Expect(time.Time{}); err != nil || !w.Failed(0) {
		t.Errorf("an error: failed: %t, %v", w.Failed(0), err)
	}
}
