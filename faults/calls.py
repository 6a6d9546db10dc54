"""System calls: how each may fail, how strace makes it fail, and what its log says."""

import re

# The calls that fail, and how. close, mmap, clone and the scheduler's calls are left alone.
ERRNOS = {
    "openat": "EMFILE EACCES EINTR", "ioctl": "EPERM ENOMEM EBUSY", "socket": "EMFILE ENOBUFS",
    "setsockopt": "ENOPROTOOPT ENOMEM", "bind": "EADDRINUSE", "getsockname": "ENOBUFS",
    "sendto": "ENOBUFS EINTR EPERM", "recvfrom": "ENOBUFS EINTR ENOMEM", "sendmsg": "ENOBUFS EPERM",
    "recvmsg": "ENOBUFS EINTR", "write": "ENOSPC EPIPE EINTR", "read": "EIO EINTR", "renameat": "ENOSPC EIO",
    "linkat": "ENOSPC EEXIST", "mkdirat": "ENOSPC EACCES", "unlinkat": "EIO EACCES", "flock": "EINTR ENOLCK",
    "fstat": "EIO ENOMEM", "newfstatat": "EACCES EIO", "setns": "EPERM ENOMEM", "unshare": "ENOMEM EPERM",
    "pidfd_open": "EMFILE EPERM", "pidfd_getfd": "EPERM EMFILE", "epoll_create1": "EMFILE",
    "epoll_ctl": "ENOSPC ENOMEM", "fcntl": "EMFILE EINVAL", "getdents64": "EIO", "readlinkat": "EACCES",
    "execve": "EACCES ENOMEM", "poll": "EINTR ENOMEM", "ppoll": "EINTR ENOMEM", "getrlimit": "EPERM",
    "capget": "EPERM", "pipe2": "EMFILE", "dup3": "EMFILE", "eventfd2": "EMFILE", "close_range": "EINVAL",
    "setgroups": "EPERM", "setresuid": "EPERM EAGAIN", "setresgid": "EPERM", "capset": "EPERM", "prctl": "EINVAL",
    "memfd_create": "EMFILE", "timerfd_create": "EMFILE", "waitid": "EINTR", "statfs": "EACCES", "lseek": "EIO",
    "connect": "EACCES", "fsync": "EIO ENOSPC", "io_setup": "EAGAIN ENOSYS", "io_submit": "EAGAIN EPERM",
    "io_getevents": "EINTR",
}
SIGNALS = ("TERM", "INT", "HUP", "QUIT", "PIPE", "KILL")
KILLS = list(ERRNOS) + ["close", "io_destroy"]
STOPS = ["ioctl", "sendto", "recvfrom", "openat", "close", "renameat", "write"]
TRACED = list(ERRNOS) + ["close", "io_destroy", "rt_sigaction"]


def strace(log, call, inject=None, detach=False):
    """Returns the words before a command that trace it; detach: only until it becomes another program."""
    words = ["strace", "-f", "-qq", "-s", "60", "-e", "raw=recvfrom,io_submit", "-o", log, "-e", "trace=" + call]
    if detach:
        words += ["-b", "execve"]
    elif "signal=" not in (inject or ""):
        words.append("--seccomp-bpf")  # with which strace 6.1 silently loses signals
    return words + (["-e", "inject=" + inject] if inject else [])


CALL = re.compile(r"^(\d+) +(\w+)\((.*)$")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")


def calls(log):
    """Returns the calls of a log in the order in which they began: [name, text, injected]."""
    found, unfinished = [], {}
    for line in log.splitlines():
        if m := CALL.match(line):
            found.append([m[2], m[3][:200], "(INJECTED)" in line])
            unfinished[m[1]] = found[-1]
        elif (m := RESUMED.match(line)) and m[1] in unfinished:
            unfinished[m[1]][1] += " " + m[3][:100]
            unfinished[m[1]][2] = "(INJECTED)" in line
    return found


def is_begin(name, text):
    """Reports whether this call is the first of the program's own, after those of Go's runtime."""
    return (name == "rt_sigaction" and text.startswith("SIGPIPE, {sa_handler=SIG_IGN")
            or name in ("socket", "mkdirat", "setns"))


def ordinal(found, call, skipped):
    """Returns the place of the first injected call among the program's own calls of its name, and its text; 0: none."""
    for i, (_, text, injected) in enumerate((c for c in found if c[0] == call), 1):
        if injected:
            return max(i - skipped, 0), text
    return 0, ""
