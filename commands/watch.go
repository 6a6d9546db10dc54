package commands

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/netcfg"
)

var watchVerb = verb{
	name: "watch", operands: "[NAME...]",
	usage: "tell what happens to devices, a line an event, until stopped",
	flags: func(p *program) []cli.Flag {
		return []cli.Flag{jsonFlag(p, "print each event as a JSON object, one a line"), netnsFlag(p)}
	},
	run: (*program).watch,
}

// watch ends with success when it is stopped by a signal, and when nobody reads what it prints any more.
func (p *program) watch(names []string) error {
	if err := checkNames(names, netcfg.CheckName); err != nil {
		return err
	}
	debug.SetGCPercent(100) // it runs for long, unlike all others
	ctx := signals()
	ns, err := netcfg.Open(p.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	print := p.printEvent
	if p.json {
		print = p.printJSONEvent
	}
	file, _ := p.stdout.(*os.File)
	err = ns.Watch(ctx, names, file, func(events []netcfg.Event) error {
		var text bytes.Buffer
		for _, e := range events {
			if err := print(&text, e); err != nil {
				return err
			}
		}
		_, err := patient{ctx, p.stdout}.Write(text.Bytes())
		return err
	})
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (p *program) printEvent(out io.Writer, e netcfg.Event) error {
	name := absent
	if d := e.Device(); d != nil {
		name = netcfg.Escape(d.Name)
	}
	line := fmt.Sprintf("%s  %-8s  %s", e.Time.Format("15:04:05.000"), name, e.Kind)
	if detail := eventDetail(e); detail != "" {
		line = fmt.Sprintf("%s  %-8s  %-8s  %s", e.Time.Format("15:04:05.000"), name, e.Kind, detail)
	}
	_, err := fmt.Fprintln(out, line)
	return err
}

// eventDetail is what stands behind the kind of an event, or "".
func eventDetail(e netcfg.Event) string {
	switch e.Kind {
	case netcfg.EventLost:
		return "more happened than could be told; what differs now follows"
	case netcfg.EventCreated, netcfg.EventJoined:
		return e.After.Mode.String()
	case netcfg.EventAttached, netcfg.EventDetached:
		if e.Holder == nil {
			return "?"
		}
		return user(*e.Holder)
	case netcfg.EventAddress:
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

// eventChange is the old and the new value of what changed: a number, a text or an id, and nil for none.
func eventChange(e netcfg.Event) (before, after any) {
	value := func(of func(d *netcfg.Device) any) (any, any) { return of(e.Before), of(e.After) }
	switch e.Kind {
	case netcfg.EventRenamed:
		return value(func(d *netcfg.Device) any { return d.Name })
	case netcfg.EventAttached, netcfg.EventDetached:
		return value(func(d *netcfg.Device) any { return d.Queues + d.DisabledQueues })
	case netcfg.EventOwner:
		return value(func(d *netcfg.Device) any { return orNil(toID(d.Access.User)) })
	case netcfg.EventGroup:
		return value(func(d *netcfg.Device) any { return orNil(toID(d.Access.Group)) })
	case netcfg.EventMTU:
		return value(func(d *netcfg.Device) any { return d.MTU })
	case netcfg.EventMAC:
		return value(func(d *netcfg.Device) any { return d.MAC.String() })
	case netcfg.EventTxQueueLen:
		return value(func(d *netcfg.Device) any { return d.TxQueueLen })
	case netcfg.EventAlias:
		return value(func(d *netcfg.Device) any { return d.Alias })
	case netcfg.EventMaster:
		return value(func(d *netcfg.Device) any { return orNil(orNull(d.Master)) })
	case netcfg.EventAddress:
		return orNil(e.Removed), orNil(e.Address)
	}
	return nil, nil
}

// orNil is what a pointer points to, and nil for none.
func orNil[T any](v *T) any {
	if v == nil {
		return nil
	}
	return *v
}

// shown is a value of a change as people read it.
func shown(value any) string {
	switch v := value.(type) {
	case string:
		return or(netcfg.Escape(v))
	case int:
		return strconv.Itoa(v)
	case jsonID:
		if v.Name != nil {
			return netcfg.Escape(*v.Name)
		}
		return strconv.FormatUint(uint64(v.ID), 10)
	}
	return absent
}

func (p *program) printJSONEvent(out io.Writer, e netcfg.Event) error {
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
