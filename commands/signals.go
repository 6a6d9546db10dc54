package commands

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// signals returns a context that the first signal to stop ends, and makes the writers end with it. Call it before
// netcfg.Open binds the goroutine to its thread, because each call would then cost two switches of threads. It catches
// signals until the process ends.
func (p *program) signals() context.Context {
	ctx, _ := p.catchSignals()
	return ctx
}

// interrupts are the signals that end a run, or that are passed on to the user's command while it runs. All come
// through one channel: with two, a signal could have arrived in one and not yet in the other.
type interrupts struct {
	caught chan os.Signal

	mu   sync.Mutex
	to   func(os.Signal) // nil: the next signal ends the run
	came os.Signal       // the signal that ended the run; nil: none
}

// catchSignals does the same for a run that passes signals on.
func (p *program) catchSignals() (context.Context, *interrupts) {
	ctx, c := catchSignals()
	p.stdout, p.stderr = promptly(ctx, p.stdout), promptly(ctx, p.stderr)
	return ctx, c
}

// catchSignals returns a context that the first signal ends.
func catchSignals() (context.Context, *interrupts) {
	ctx, cancel := context.WithCancel(context.Background())
	c := &interrupts{caught: make(chan os.Signal, 16)}
	c.add(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	signal.Ignore(syscall.SIGPIPE) // the run must not end halfway if the reader of -v goes away
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

// pass passes later signals on to a function; nil ends that. If a signal has ended the run already, it passes none on
// and returns that signal.
func (c *interrupts) pass(to func(os.Signal)) (earlier os.Signal) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.came == nil {
		c.to = to
	}
	return c.came
}
