package commands

import (
	"errors"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/tunadm/tunadm/internal/packet"
	"github.com/tunadm/tunadm/netcfg"
)

var execVerb = verb{
	name: "exec", operands: "NAME[=QUEUES]... -- PROGRAM [ARGS...]", hands: true,
	usage: "run a program with the devices' queues as its descriptors 3, 4, ...",
	flags: func(p *program) []cli.Flag {
		return []cli.Flag{
			valueFlag(p, "user", "run the program as user `U`, without privileges", parseAsked, func(u string) { p.user = u }),
			boolFlag("new-privileges", "with --user: set-user-ID programs and file capabilities still work", &p.newPrivileges),
			valueFlag(p, "ambient", "with --user: the program keeps the capability `CAP`, such as net_admin",
				parseCapability, func(c capability) { p.ambient = append(p.ambient, c) }),
			boolFlag("vnet-hdr", "each packet has a virtio header before it", &p.attachment.VnetHdr),
			boolFlag("pi", "each packet has its flags and its protocol before it", &p.attachment.PI),
			netnsFlag(p),
		}
	},
	repeatable: []string{"ambient"},
	run:        (*program).exec,
}

// exec becomes the program. It returns only if it could not.
func (p *program) exec(operands []string) error {
	const example = "tunadm exec NAME -- PROGRAM ARGS"
	names, queues, err := parseQueues(operands)
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return &usageError{text: "no device is named", hint: example}
	case len(p.command) == 0 || p.command[0] == "":
		return &usageError{text: "no program is named behind --", hint: example}
	}
	as := rights{ambient: p.ambient, newPrivileges: p.newPrivileges}
	if p.user == "" && (len(p.ambient) > 0 || p.newPrivileges) {
		return usagef("--ambient and --new-privileges go with --user")
	}
	ns, err := netcfg.Open(p.netns)
	if err != nil {
		return err
	}
	defer ns.Close()
	if p.user != "" {
		if err := packet.CheckPoller(); err != nil { // getent(1) is asked through a pipe
			return err
		}
		person, err := ns.Person(p.user)
		if err != nil {
			return err
		}
		as.as = &person
	}
	asked := make([]netcfg.Attachment, len(names))
	for i, name := range names {
		asked[i] = p.attachment
		asked[i].Device, asked[i].Queues = name, queues[i]
	}
	attached, err := ns.PrepareAttach(asked...)
	if err != nil {
		return err
	}
	program, err := prepareExecution(p.command, as)
	if err != nil {
		return err
	}
	if err := ns.Attach(attached, nil); err != nil {
		return err
	}
	return errors.Join(program.become(attached), ns.Detach(attached))
}

// parseQueues reads operands of the form NAME=QUEUES. A name may have a = as well.
func parseQueues(operands []string) (names []string, queues []int, err error) {
	for _, operand := range operands {
		name, count := operand, 1
		if i := strings.LastIndexByte(operand, '='); i >= 0 {
			n, err := strconv.Atoi(operand[i+1:])
			if err != nil || n < 1 || n > netcfg.QueuesMax {
				return nil, nil, usagef("%q: %q is no number of queues from 1 to %d", operand, operand[i+1:], netcfg.QueuesMax)
			}
			name, count = operand[:i], n
		}
		names, queues = append(names, name), append(queues, count)
	}
	return names, queues, checkNames(names, netcfg.CheckName)
}
