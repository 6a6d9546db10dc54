package commands

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// signals is a context that ends with the first signal to stop. It is made before the goroutine may be bound to its thread, where each
// signal would cost two switches of threads. The process ends with the run, so nobody stops it.
func signals() context.Context {
	ctx, _ := catchSignals()
	return ctx
}

// interrupts are the signals that end a run, or that are passed on to the user's command while there is one. All come through one channel: with
// two, a signal could be seen in the one and not yet in the other.
type interrupts struct {
	caught chan os.Signal

	mu   sync.Mutex
	to   func(os.Signal) // nil: the next one ends the run
	came os.Signal       // which ended it; nil: none yet
}

// catchSignals gives a context that the first signal ends.
func catchSignals() (context.Context, *interrupts) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &interrupts{caught: make(chan os.Signal, 16)}
	c.add(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	signal.Ignore(syscall.SIGPIPE) // a reader of -v that goes away must not end the run halfway
	go func() {
		for s := range c.caught {
			c.mu.Lock()
			if c.to != nil {
				c.to(s)
			} else {
				c.came = s
				cancel()
			}
			c.mu.Unlock()
		}
	}()
	return ctx, c
}

// add catches more signals, unless they are ignored, as under nohup(1).
func (c *interrupts) add(signals ...os.Signal) {
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(c.caught, s)
		}
	}
}

// pass has the signals to come passed on, or ends that if it is nil. It says false, and passes none on, if one has ended the run already.
func (c *interrupts) pass(to func(os.Signal)) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.came != nil {
		return false
	}
	c.to = to
	return true
}

// stop catches no more signals.
func (c *interrupts) stop() {
	signal.Stop(c.caught)
	close(c.caught)
}
