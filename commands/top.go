package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tunadm/tunadm/internal/poll"
	"github.com/tunadm/tunadm/netcfg"
)

var topVerb = verb{
	name: "top", operands: "[NAME...]", operand: devicePattern, patterns: true, lasting: true,
	usage:   "show packets, bytes and drops per second, most traffic first",
	command: func(p *program) command { return &topOptions{program: p, interval: time.Second} },
}

type topOptions struct {
	*program
	count    int // 0: until stopped
	interval time.Duration
	netns    string
}

func (o *topOptions) flags() []*option {
	return []*option{
		valueFlag("count", "exit after `N` tables", parseInt(1, math.MaxInt32), &o.count),
		valueFlag("interval", "print a table every `SECONDS`, 1 by default", parseInterval, &o.interval),
		netnsFlag(&o.netns),
	}
}

// parseInterval parses a number of seconds.
func parseInterval(text string) (time.Duration, error) {
	const least, most = 0.1, 3600
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || !(seconds >= least && seconds <= most) {
		return 0, fmt.Errorf("%q is not a number of seconds from %v to %v", text, least, most)
	}
	return time.Duration(seconds * float64(time.Second)), nil
}

// run prints tables. It returns nil after a signal or the key q, and if the reader of standard output goes away.
func (o *topOptions) run(names []string) error {
	debug.SetGCPercent(100) // the run may be long
	ctx := o.signals()
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	before, missing, err := takeSample(ns, names)
	if err = errors.Join(append(missing, err)...); err != nil {
		return err
	}
	err = o.loop(ctx, ns, names, before)
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.EIO) || errors.Is(err, io.EOF) || ctx.Err() != nil {
		return nil // EIO: the terminal is gone
	}
	return err
}

// loop prints a table at the end of each interval, and on a terminal one without rates before.
func (o *topOptions) loop(ctx context.Context, ns *netcfg.Namespace, names []string, before *sample) error {
	file, _ := plainly(o.stdout).(*os.File)
	keys, restore, err := takeKeys(o.stdout)
	if err != nil {
		return err
	}
	defer restore()
	w, stop, err := poll.New(ctx, file, keys)
	if err != nil {
		return err
	}
	defer stop()
	view := &topView{out: o.stdout, full: hasCursor(o.stdout)}
	defer view.close()
	if view.full { // a pipe gets tables with rates only
		if err := view.draw(before, &sample{}); err != nil {
			return err
		}
	}
	next := before.at
	for left := o.count; o.count == 0 || left > 0; left-- {
		next = next.Add(o.interval)
		if late := time.Now(); next.Before(late) { // the machine slept
			next = late
		}
		if ended, err := o.wait(w, keys, next); ended || err != nil {
			return err
		}
		now, _, err := takeSample(ns, names) // named devices may come and go
		if err != nil {
			return err
		}
		if err := view.draw(now, before); err != nil {
			return err
		}
		before = now
	}
	return nil
}

// wait waits until a time. It returns true if the run is to end before.
func (o *topOptions) wait(w *poll.Waiter, keys int, until time.Time) (ended bool, err error) {
	for time.Now().Before(until) {
		if err := w.Wait(until); err != nil {
			return false, err
		}
		if w.Stopped() || w.Unread() {
			return true, nil
		}
		if keys >= 0 && w.Ready(0) && quits(keys) {
			return true, nil
		}
	}
	return false, nil
}

// A topView is where the tables are drawn.
type topView struct {
	out  io.Writer
	full bool   // on a terminal: each table replaces the last one
	last []byte // the last table, without its control sequences
}

// draw prints one table: over the last one, or below it with an empty line between.
func (v *topView) draw(now, before *sample) error {
	width, height := terminalSize(v.out)
	devices := mostTraffic(now, before)
	if v.full {
		devices = devices[:min(len(devices), height)] // more would not be seen
	}
	var table bytes.Buffer
	fmt.Fprintln(&table, now.at.Format(time.TimeOnly))
	if err := renderTable(&table, devices, rateColumns(now, before), screen{width: width}); err != nil {
		return err
	}
	first := v.last == nil
	v.last = table.Bytes()
	switch {
	case v.full:
		return v.drawOver(height, first)
	case !first:
		v.last = slices.Concat([]byte("\n"), v.last)
	}
	_, err := v.out.Write(v.last)
	return err
}

// drawOver draws the last table from the top of the screen, as far as it fits.
func (v *topView) drawOver(height int, first bool) error {
	lines := strings.Split(strings.TrimSuffix(string(v.last), "\n"), "\n")
	lines[0] += "  (q ends)"
	text := cursorHome + strings.Join(lines[:min(len(lines), height)], clearLine+"\n") + clearLine + clearBelow
	if first {
		text = enterScreen + text
	}
	_, err := io.WriteString(v.out, text)
	return err
}

// close restores the screen, and leaves the last table on it.
func (v *topView) close() {
	if v.full && v.last != nil {
		_, _ = io.WriteString(v.out, leaveScreen+string(v.last)) // the terminal may have gone
	}
}
