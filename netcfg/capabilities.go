package netcfg

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// capabilities are the names of capabilities(7), each at its number, without "cap_".
var capabilities = strings.Fields(`chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service
	net_broadcast net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice sys_resource
	sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm block_suspend audit_read perfmon
	bpf checkpoint_restore`)

// A Capability is the number of one of capabilities(7).
type Capability int

// ParseCapability reads a name of capabilities(7), with or without "cap_".
func ParseCapability(s string) (Capability, error) {
	n := slices.Index(capabilities, strings.TrimPrefix(strings.ToLower(s), "cap_"))
	if n < 0 {
		return 0, fmt.Errorf("%q is not a capability of capabilities(7), such as net_admin", s)
	}
	return Capability(n), nil
}

// String is the name in capitals, as capabilities(7) has it.
func (c Capability) String() string { return "CAP_" + strings.ToUpper(capabilities[c]) }

// Rights are what a program may do that this process becomes.
type Rights struct {
	As            *Person      // nil: the invoking user, with all privileges of this process, and the rest of Rights means nothing
	Ambient       []Capability // the program keeps these, and so does each program that it executes
	NewPrivileges bool         // set-user-ID programs and file capabilities still work
}

// become gives the thread, and no other, the rights. It is not undone: on an error the thread must end. Root gets its capabilities back from
// the exec.
func (r *Rights) become() error {
	who := Escape(r.As.ID.String())
	if len(r.As.Groups) == 0 {
		return &Error{What: "user " + who, Cause: NoUser, Detail: "nobody has that number, so it has no group"}
	}
	groups := make([]int, len(r.As.Groups))
	for i, g := range r.As.Groups {
		groups[i] = int(g)
	}
	uid, gid := uintptr(r.As.ID.Number), uintptr(groups[0])
	drops := uid != 0 && !r.NewPrivileges
	for _, step := range []struct {
		needs Capability
		do    func() error
	}{
		{unix.CAP_SETPCAP, func() error { return r.limit(drops) }},
		{unix.CAP_SETGID, func() error { return unix.Setgroups(groups) }}, // of this thread alone, unlike syscall.Setgroups
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

// limit takes all capabilities but the ambient ones from the thread's bounding set, and has the change of user keep the permitted ones.
func (r *Rights) limit(drops bool) error {
	for c := Capability(0); drops; c++ {
		on, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
		if err != nil { // EINVAL: there is no such capability
			break
		}
		if on == 0 || slices.Contains(r.Ambient, c) {
			continue
		}
		err = unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0)
		if errors.Is(err, unix.EPERM) { // without CAP_SETPCAP: no_new_privs keeps the program from using what is left there
			return nil
		}
		if err != nil {
			return fmt.Errorf("bounding set: %w", err)
		}
	}
	if len(r.Ambient) == 0 {
		return nil
	}
	return unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0)
}

// capabilities leaves the thread the ambient ones only.
func (r *Rights) capabilities() error {
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return &Error{What: "ambient capabilities", Err: err}
	}
	var data [2]unix.CapUserData
	for _, c := range r.Ambient {
		d := &data[c/32]
		d.Permitted |= 1 << (c % 32)
		d.Effective, d.Inheritable = d.Permitted, d.Permitted
	}
	err := unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
	if errors.Is(err, unix.EPERM) && len(r.Ambient) > 0 {
		return &Error{What: "--ambient", Cause: NotPermitted, Detail: "tunadm itself lacks a capability that it should pass on", Fix: withCapability(r.Ambient[0]), Err: err}
	}
	if err != nil {
		return &Error{What: "capabilities", Err: err}
	}
	for _, c := range r.Ambient {
		if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_RAISE, uintptr(c), 0, 0); err != nil {
			return &Error{What: "--ambient " + c.String(), Err: err}
		}
	}
	return nil
}

// close takes the keys of the invoking user's session away, and the ways back to privileges.
func (r *Rights) close() error {
	// ENOSYS: a kernel without keys; EPERM: a container without the call, which the program has not either.
	_, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0)
	if err != nil && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.EPERM) {
		return &Error{What: "new session keyring", Err: err}
	}
	if r.NewPrivileges {
		return nil
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return &Error{What: "no_new_privs", Err: err}
	}
	return nil
}

// refused says why the thread could not become the user.
func (r *Rights) refused(needs Capability, err error) error {
	e := &Error{What: "become user " + Escape(r.As.ID.String()), Err: err}
	switch {
	case errors.Is(err, unix.EINVAL):
		e.Detail = "this user namespace has no such user or group"
	case errors.Is(err, unix.EPERM):
		e.Cause, e.Detail, e.Fix = NotPermitted, "requires "+needs.String(), withCapability(needs)
	}
	return e
}

// withCapability is how to run the program with a capability.
func withCapability(c Capability) Fix {
	if os.Geteuid() != 0 {
		return Sentence("run it as root")
	}
	name := strings.TrimPrefix(c.String(), "CAP_")
	if Surroundings() == Container {
		return Sentence("root here lacks " + c.String() + ": start the container with --cap-add " + name)
	}
	return Sentence("root here lacks " + c.String() + ": run tunadm where root has it")
}
