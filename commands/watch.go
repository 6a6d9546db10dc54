package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"syscall"

	"github.com/tunadm/tunadm/internal/link"
	"github.com/tunadm/tunadm/internal/watch"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

var watchVerb = verb{
	name: "watch", operands: "[NAME...]", operand: devicePattern, patterns: true, lasting: true,
	usage:   "print events of devices, one per line, until stopped",
	command: func(p *program) command { return &watchOptions{program: p} },
}

type watchOptions struct {
	*program
	netns string
	json  bool
}

func (o *watchOptions) flags() []*option {
	return []*option{switchFlag("json", "print each event as a JSON object, one per line", &o.json),
		netnsFlag(&o.netns)}
}

// run prints events. It returns nil after a signal, and if the reader of standard output goes away.
func (o *watchOptions) run(names []string) error {
	debug.SetGCPercent(100) // the run may be long
	ctx := o.signals()
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	follows, err := follower(ns, names)
	if err != nil {
		return err
	}
	print := printEvent
	if o.json {
		print = printJSONEvent
	}
	file, _ := plainly(o.stdout).(*os.File)
	err = watch.Run(ctx, ns, follows, file, func(events []watch.Event) error {
		var text bytes.Buffer
		for _, e := range events {
			if err := print(&text, e); err != nil {
				return err
			}
		}
		_, err := patient{ctx, plainly(o.stdout)}.Write(text.Bytes())
		return err
	})
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// follower returns the function that tells whether the events of a device of some name are reported; nil: of all. A
// pattern matches later devices too, unless a device has that very name now.
func follower(ns *netcfg.Namespace, operands []string) (func(name string) bool, error) {
	if len(operands) == 0 {
		return nil, nil
	}
	exact, err := exactNames(ns, operands)
	if err != nil {
		return nil, err
	}
	for _, word := range operands {
		if _, wrong := link.ParsePattern(word); wrong != nil && link.IsPattern(word) && !exact[word] {
			return nil, unmatched(word, wrong)
		}
	}
	for name := range exact {
		devices, err := ns.Counters(name)
		if err != nil {
			return nil, err
		}
		if devices[0] == nil { // it may appear later
			continue
		}
		if devices[0].Kind != "tun" {
			return nil, devices[0].NotOurs(name)
		}
	}
	return func(name string) bool {
		return slices.ContainsFunc(operands, func(word string) bool {
			pattern, err := link.ParsePattern(word)
			return name == word || err == nil && !exact[word] && pattern.Matches(name)
		})
	}, nil
}

func printEvent(out io.Writer, e watch.Event) error {
	name := absent
	if d := e.Device(); d != nil {
		name = words.Escape(d.Name)
	}
	line := fmt.Sprintf("%s  %-8s  %s", e.Time.Format("15:04:05.000"), name, e.Kind)
	if detail := eventDetail(e); detail != "" {
		line = fmt.Sprintf("%s  %-8s  %-8s  %s", e.Time.Format("15:04:05.000"), name, e.Kind, detail)
	}
	_, err := fmt.Fprintln(out, line)
	return err
}

// eventDetail returns the text after the kind of an event, or "".
func eventDetail(e watch.Event) string {
	switch e.Kind {
	case watch.EventLost:
		return "events were lost; the present differences follow"
	case watch.EventCreated, watch.EventJoined:
		return e.After.Mode.String()
	case watch.EventAttached, watch.EventDetached:
		if e.Holder == nil {
			return "?"
		}
		return user(*e.Holder)
	case watch.EventAddress:
		if e.Address != nil {
			return "+" + e.Address.String()
		}
		return "-" + e.Removed.String()
	}
	if before, after := eventChange(e); before != nil || after != nil {
		return shown(before) + " > " + shown(after)
	}
	return ""
}

// eventChange returns the old and the new value: a number, a text or an ID, and nil for none.
func eventChange(e watch.Event) (before, after any) {
	value := func(of func(d *netcfg.Device) any) (any, any) { return of(e.Before), of(e.After) }
	switch e.Kind {
	case watch.EventRenamed:
		return value(func(d *netcfg.Device) any { return d.Name })
	case watch.EventAttached, watch.EventDetached:
		return value(func(d *netcfg.Device) any { return d.Queues + d.DisabledQueues })
	case watch.EventOwner:
		return value(func(d *netcfg.Device) any { return orNil(toID(d.Access.User)) })
	case watch.EventGroup:
		return value(func(d *netcfg.Device) any { return orNil(toID(d.Access.Group)) })
	case watch.EventMTU:
		return value(func(d *netcfg.Device) any { return d.MTU })
	case watch.EventMAC:
		return value(func(d *netcfg.Device) any { return d.MAC.String() })
	case watch.EventTxQueueLen:
		return value(func(d *netcfg.Device) any { return d.TxQueueLen })
	case watch.EventAlias:
		return value(func(d *netcfg.Device) any { return d.Alias })
	case watch.EventMaster:
		return value(func(d *netcfg.Device) any { return orNil(orNull(d.Master)) })
	case watch.EventAddress:
		return orNil(e.Removed), orNil(e.Address)
	}
	return nil, nil
}

// orNil returns the value that a pointer points to, or nil.
func orNil[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

// shown returns a value of an event as text.
func shown(value any) string {
	switch v := value.(type) {
	case string:
		return or(words.Escape(v))
	case int:
		return strconv.Itoa(v)
	case jsonID:
		if v.Name != nil {
			return words.Escape(*v.Name)
		}
		return strconv.FormatUint(uint64(v.ID), 10)
	}
	return absent
}

func printJSONEvent(out io.Writer, e watch.Event) error {
	j := jsonEvent{Time: e.Time.Format("2006-01-02T15:04:05.000Z07:00"), Event: string(e.Kind)}
	if d := e.Device(); d != nil {
		mode := d.Mode.String()
		j.Name, j.Index, j.Mode = &d.Name, &d.Index, &mode
	}
	j.Old, j.New = eventChange(e)
	for _, v := range []*any{&j.Old, &j.New} {
		if a, ok := (*v).(netcfg.Address); ok {
			*v = a.String()
		}
	}
	if e.Holder != nil {
		h := toHolder(*e.Holder)
		j.Program = &h
	}
	return encode(out, j)
}
