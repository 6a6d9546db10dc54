package commands

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/tunadm/tunadm/internal/cause"
	"github.com/tunadm/tunadm/internal/fix"
	"github.com/tunadm/tunadm/internal/surroundings"
	"github.com/tunadm/tunadm/internal/users"
	"github.com/tunadm/tunadm/internal/words"
)

// capabilityNames lists the names of capabilities(7), each at its number, without "cap_".
var capabilityNames = strings.Fields(`
	chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service
	net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct
	sys_admin sys_boot sys_nice sys_resource sys_time sys_tty_config mknod lease audit_write audit_control
	setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon bpf checkpoint_restore`)

// A capability is the number of a capability of capabilities(7).
type capability int

// parseCapability reads a name of capabilities(7), with or without "cap_".
func parseCapability(s string) (capability, error) {
	n := slices.Index(capabilityNames, strings.TrimPrefix(strings.ToLower(s), "cap_"))
	if n < 0 {
		return 0, fmt.Errorf("%q is not a capability of capabilities(7), such as net_admin", s)
	}
	return capability(n), nil
}

// String returns the name in capitals, as in capabilities(7).
func (c capability) String() string { return "CAP_" + strings.ToUpper(capabilityNames[c]) }

// rights are the user and the privileges of a program that this process executes.
type rights struct {
	person        *users.Person // nil: the invoking user with all privileges; the other fields are then ignored
	ambient       []capability  // the program keeps these, as does every program that it executes
	newPrivileges bool          // set-user-ID programs and file capabilities still work
}

// become gives the rights to this thread and to no other. On an error the thread must end. Root gets its capabilities
// back from the exec.
func (r *rights) become() error {
	who := words.Escape(r.person.ID.String())
	if len(r.person.Groups) == 0 {
		return &cause.Error{What: "user " + who, Cause: cause.NoUser,
			Detail: "no user has that UID, so it has no group", Fix: fix.Sentence("create one with useradd(8)")}
	}
	groups := make([]int, len(r.person.Groups))
	for i, g := range r.person.Groups {
		groups[i] = int(g)
	}
	uid, gid := uintptr(r.person.ID.Number), uintptr(groups[0])
	drops := uid != 0 && !r.newPrivileges
	for _, step := range []struct {
		needs capability
		do    func() error
	}{
		{unix.CAP_SETPCAP, func() error { return r.limit(drops) }},
		// Unlike syscall.Setgroups, this is for this thread alone.
		{unix.CAP_SETGID, func() error { return unix.Setgroups(groups) }},
		{unix.CAP_SETGID, func() error { return setThree(unix.SYS_SETRESGID, gid) }},
		{unix.CAP_SETUID, func() error { return setThree(unix.SYS_SETRESUID, uid) }},
	} {
		if err := step.do(); err != nil {
			return r.refused(step.needs, err)
		}
	}
	if uid != 0 {
		if err := r.capabilities(); err != nil {
			return err
		}
	}
	return r.close()
}

// setThree sets the real, the effective and the saved ID of the thread.
func setThree(call, id uintptr) error {
	if _, _, errno := unix.RawSyscall(call, id, id, id); errno != 0 {
		return errno
	}
	return nil
}

// limit removes all capabilities except the ambient ones from the thread's bounding set. If there are ambient ones, the
// change of user keeps the permitted set.
func (r *rights) limit(drops bool) error {
	for c := capability(0); drops; c++ {
		on, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if err != nil { // EINVAL: there is no such capability
			break
		}
		if on == 0 || slices.Contains(r.ambient, c) {
			continue
		}
		err = unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		if errors.Is(err, unix.EPERM) { // without CAP_SETPCAP, no_new_privs keeps the program from using the rest
			return nil
		}
		if err != nil {
			return fmt.Errorf("bounding set: %w", err)
		}
	}
	if len(r.ambient) == 0 {
		return nil
	}
	return unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0)
}

// capabilities removes all capabilities of the thread except the ambient ones.
func (r *rights) capabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return &cause.Error{What: "ambient capabilities", Err: err}
	}
	var data [2]unix.CapUserData
	for _, c := range r.ambient {
		d := &data[c/32]
		d.Permitted |= 1 << (c % 32)
		d.Effective, d.Inheritable = d.Permitted, d.Permitted
	}
	err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
	if errors.Is(err, unix.EPERM) && len(r.ambient) > 0 {
		return &cause.Error{What: "--ambient", Cause: cause.NotPermitted, Fix: withCapability(r.ambient[0]), Err: err,
			Detail: "tunadm itself lacks a capability that it should pass on"}
	}
	if err != nil {
		return &cause.Error{What: "capabilities", Err: err}
	}
	for _, c := range r.ambient {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(c), 0, 0); err != nil {
			return &cause.Error{What: "--ambient " + c.String(), Err: err}
		}
	}
	return nil
}

// close gives the thread a new session keyring, without the keys of the invoking user, and sets no_new_privs.
func (r *rights) close() error {
	// ENOSYS: a kernel without keys; EPERM: a container that forbids the call, to the program too.
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
		return &cause.Error{What: "new session keyring", Err: err}
	}
	if r.newPrivileges {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return &cause.Error{What: "no_new_privs", Err: err}
	}
	return nil
}

// refused returns why the thread could not become the user.
func (r *rights) refused(needs capability, err error) error {
	e := &cause.Error{What: "become user " + words.Escape(r.person.ID.String()), Err: err}
	switch {
	case errors.Is(err, unix.EINVAL):
		e.Detail = "this user namespace has no such user or group"
	case errors.Is(err, unix.EPERM):
		e.Cause, e.Detail, e.Fix = cause.NotPermitted, "requires "+needs.String(), withCapability(needs)
	}
	return e
}

// withCapability returns the hint how to run tunadm with a capability.
func withCapability(c capability) fix.Fix {
	return surroundings.Grant(strings.TrimPrefix(c.String(), "CAP_"), "run tunadm where root has it")
}
