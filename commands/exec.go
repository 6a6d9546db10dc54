package commands

import (
	"errors"
	"strconv"
	"strings"

	"github.com/tunadm/tunadm/internal/attach"
	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/netcfg"
)

var execVerb = verb{
	name: "exec", page: "tunadm-packets(8)", operands: "NAME[=QUEUES]... -- PROGRAM [ARGS...]", lasting: true,
	usage:   "run a program with queues of devices as file descriptors 3, 4, ...",
	command: func(p *program) command { return &execOptions{program: p} },
}

type execOptions struct {
	*program
	netns         string
	user          string // "": the invoking user
	newPrivileges bool
	ambient       []capability
	attachment    attach.Request // without the device and its queues
	line          []string       // the program and its arguments
}

func (o *execOptions) flags() []*option {
	return []*option{
		valueFlag("user", "run the program as user `U`, without privileges", parseNotEmpty, &o.user),
		switchFlag("new-privileges", "with --user: set-user-ID programs and file capabilities still work",
			&o.newPrivileges),
		listFlag("ambient", "with --user: keep the capability `CAP`, such as net_admin", parseCapability, &o.ambient),
		switchFlag("vnet-hdr", "a virtio header precedes each packet", &o.attachment.VnetHdr),
		switchFlag("pi", "packet information precedes each packet", &o.attachment.PI),
		netnsOfDevice(&o.netns, "the program is"),
	}
}

func (o *execOptions) launches(line []string) { o.line = line }

// run becomes the program. It returns only on failure.
func (o *execOptions) run(operands []string) error {
	const example = "tunadm exec NAME -- PROGRAM ARGS"
	names, queues, err := parseQueues(operands)
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return usage("no device is named", example)
	case o.line == nil:
		return usage("no program is named: it follows --", example)
	case len(o.line) == 0:
		return usage("no program follows --", example)
	case o.line[0] == "":
		return usage("the name of the program is empty", example)
	case o.user == "" && (len(o.ambient) > 0 || o.newPrivileges):
		return usagef("--ambient and --new-privileges require --user")
	}
	ns, err := netcfg.Open(o.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	asked := rights{ambient: o.ambient, newPrivileges: o.newPrivileges}
	if o.user != "" {
		person, err := ns.Directory.Person(o.user)
		if err != nil {
			return err
		}
		if len(person.Groups) == 0 && !ns.Directory.Answers() {
			return &cause.Error{What: "user " + o.user, Cause: cause.NoNames,
				Fix: fix.Sentence("try getent passwd " + o.user)}
		}
		asked.person = &person
	}
	attachments := make([]attach.Request, len(names))
	for i, name := range names {
		attachments[i] = o.attachment
		attachments[i].Device, attachments[i].Queues = name, queues[i]
	}
	attached, err := attach.Prepare(ns, attachments...)
	if err != nil {
		return err
	}
	execution, err := prepareExecution(o.line, asked)
	if err != nil {
		return err
	}
	return execution.launch(ns, attached, holdSignals())
}

// parseQueues reads operands of the form NAME or NAME=QUEUES. A name may contain "=" too.
func parseQueues(operands []string) (names []string, queues []int, err error) {
	var wrong []error
	for _, operand := range operands {
		name, count := operand, 1
		if i := strings.LastIndexByte(operand, '='); i >= 0 {
			n, err := strconv.Atoi(operand[i+1:])
			if err != nil || n < 1 || n > attach.QueuesMax {
				err := usagef("%q: %q is not a number of queues from 1 to %d", operand, operand[i+1:], attach.QueuesMax)
				wrong = append(wrong, err)
				continue
			}
			name, count = operand[:i], n
		}
		names, queues = append(names, name), append(queues, count)
	}
	return names, queues, errors.Join(append(wrong, wrongOperands(names, deviceName)...)...)
}
