package commands

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/declare"
	"github.com/tunadm/tunadm/internal/doctor"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/flow"
	"github.com/tunadm/tunadm/internal/words"
	"github.com/tunadm/tunadm/netcfg"
)

var doctorVerb = verb{
	name: "doctor", page: "tunadm-doctor(8)", operands: "[NAME]", operand: devicePattern, patterns: true,
	reads:   true,
	usage:   "find out why a device does not work, and print fixes",
	command: func(p *program) command { return &doctorOptions{program: p} },
}

type doctorOptions struct {
	*program
	netns string
	user  string // "": the invoking user
	json  bool
	watch time.Duration // 0: do not watch
	flow.Packet
	port uint16
}

func (o *doctorOptions) flags() []*option {
	return []*option{
		valueFlag("user", "check whether user `U` may attach", parseNotEmpty, &o.user),
		valueFlag("to", "follow a packet to `ADDRESS`", parsePlainAddress, &o.To),
		valueFlag("from", "follow a packet from the program with source `ADDRESS`", parsePlainAddress, &o.From),
		valueFlag("proto", "`PROTOCOL` of that packet: icmp, tcp, udp or a number", flow.ParseProtocol, &o.Protocol),
		valueFlag("port", "destination `PORT` of that packet", parsePort, &o.port),
		impliedFlag("watch", "watch the devices for `SECONDS`, 5 by default", "5", parseDuration, &o.watch),
		switchFlag("json", "print the findings as JSON", &o.json),
		netnsFlag(&o.netns),
		verboseFlag(o.program, "print passed checks and stages too"),
		quietFlag(o.program, "print problems only"),
	}
}

func (o *doctorOptions) run(names []string) error {
	if len(names) > 1 {
		hint := "tunadm doctor " + words.Quote(names[0])
		if o.watch != 0 {
			hint += "; the seconds of --watch follow =, as in --watch=10"
		}
		return usage("name one device or pattern, or none for all", hint)
	}
	if err := o.complete(names); err != nil {
		return err
	}
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	question := doctor.Question{User: o.user, Netns: o.netns, Packet: o.Packet, Watch: o.watch,
		Problems: len(names) == 0 && !o.verbose}
	question.Declared, question.Unapplied = declared(ns)
	devices, missing, err := matching(ns, names)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return errors.Join(missing...)
	}
	if len(devices) > 0 {
		question.Device, question.More = devices[0], devices[1:]
	}
	report, err := doctor.Examine(ns, question)
	if err != nil {
		return err
	}
	if o.json {
		err = renderFindingsJSON(o.stdout, o.shown(report.Findings))
	} else {
		err = o.render(report, len(names) > 0)
	}
	failed := func(f doctor.Finding) bool { return f.Level == doctor.Error }
	if err == nil && slices.ContainsFunc(report.Findings, failed) {
		err = errFindings
	}
	return err
}

// complete checks the packet of the question, and adds what is implied.
func (o *doctorOptions) complete(names []string) error {
	asks := o.To.IsValid() || o.From.IsValid()
	withPorts := []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_DCCP, unix.IPPROTO_SCTP, unix.IPPROTO_UDPLITE}
	switch {
	case o.verbose && o.quiet:
		return usagef("--verbose and --quiet exclude each other")
	case len(names) == 0 && (asks || o.watch != 0):
		return usage("--to, --from and --watch need a device", "tunadm doctor NAME ...")
	case !asks && (o.Protocol != 0 || o.port != 0):
		return usage("--proto and --port need a packet", "add --to or --from")
	case o.port != 0 && o.Protocol != 0 && !slices.Contains(withPorts, o.Protocol):
		return usagef("--port requires a protocol with ports, such as tcp or udp")
	case o.To.IsValid() && o.From.IsValid() && o.To.Is6() != o.From.Is6():
		return usagef("%s and %s are not of one address family", o.From, o.To)
	}
	o.ToPort = o.port
	if o.port != 0 && o.Protocol == 0 {
		o.Protocol = unix.IPPROTO_TCP
	}
	return nil
}

// parsePlainAddress parses an address without a prefix length.
func parsePlainAddress(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return a, fmt.Errorf("%q is not an IPv4 or IPv6 address", text)
	}
	return a.Unmap(), nil
}

// parsePort parses a port number.
func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is not a port from 1 to 65535", text)
	}
	return uint16(n), nil
}

// shown returns the findings to print.
func (o *doctorOptions) shown(findings []doctor.Finding) []doctor.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f doctor.Finding) bool {
		return f.Level == doctor.OK && !o.verbose || f.Level == doctor.Unknown && o.quiet
	})
}

// declared returns the devices that the default files declare, and those that apply would leave unchanged: see
// [doctor.Question]. It reads the files when it is first asked.
func declared(ns *netcfg.Namespace) (all func() []doctor.Declared, unapplied func() map[string]error) {
	read := sync.OnceValues(func() ([]declare.Declaration, error) { return declare.Read(nil) })
	all = func() (all []doctor.Declared) {
		declarations, _ := read()
		for i, d := range declarations {
			all = append(all, doctor.Declared{Spec: &declarations[i].Spec, Place: d.Where()})
		}
		return all
	}
	return all, func() map[string]error {
		refused := map[string]error{}
		declarations, mistakes := read()
		changes := wanted(slices.Clone(declarations), &ns.Directory, false)
		results, err := ns.Run(context.Background(), changes, netcfg.Options{DryRun: true})
		if err == nil && mistakes != nil { // apply then changes nothing
			first, _, _ := strings.Cut(mistakes.Error(), "\n")
			err = &cause.Error{Cause: cause.BadRequest, Detail: first, Fix: fix.Sentence("correct the file")}
		}
		for i, c := range changes {
			if refused[c.Name] = err; err == nil {
				refused[c.Name] = results[i].Err
			}
		}
		return refused
	}
}

func renderFindingsJSON(to io.Writer, findings []doctor.Finding) error {
	list := make([]jsonFinding, len(findings))
	for i, f := range findings {
		list[i] = jsonFinding{Check: f.Check, Level: f.Level.String(), What: f.What, Means: f.Means, Fix: []string{}}
		for _, fix := range f.Fixes {
			list[i].Fix = append(list[i].Fix, fix.String())
		}
		if f.Device != "" {
			list[i].Device = &f.Device
		}
	}
	return encode(to, list)
}
