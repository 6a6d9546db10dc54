"""A network, mount and process namespace for each case, with a tmpfs on /run."""

import ctypes
import errno
import fcntl
import os
import pickle
import signal
import struct
import subprocess

libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
TUNSETIFF = 0x400454CA


def check(result, what):
    if result != 0:
        e = ctypes.get_errno()
        raise OSError(e, f"{what}: {os.strerror(e)}")


def mount(source, target, kind, flags=0, data=None):
    kind, data = kind.encode() if kind else None, data.encode() if data else None
    check(libc.mount(source.encode(), target.encode(), kind, ctypes.c_ulong(flags), data), "mount " + target)


def end_with_parent():
    """Ends this process when its parent ends, however that is, so that a killed harness leaves nothing."""
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def enter_namespace():
    """Makes the namespaces and continues in a new process, the first of its process namespace."""
    end_with_parent()
    check(libc.unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID), "unshare")
    if pid := os.fork():
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 255)
    end_with_parent()
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc")
    mount("tmpfs", "/run", "tmpfs", 0, "mode=755")
    mount("sysfs", "/sys", "sysfs")
    os.mkdir("/run/cfg", 0o700)


def apart(function, *args):
    """Returns the result of function, called in a process and namespaces of its own."""
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        try:
            os.close(r)
            enter_namespace()
            result = ("ok", function(*args))
            code = 0
        except BaseException as e:  # the parent raises it
            result = ("error", f"{type(e).__name__}: {e}")
        with os.fdopen(w, "wb") as f:
            pickle.dump(result, f)
        os._exit(code)
    os.close(w)
    with os.fdopen(r, "rb") as f:
        data = f.read()
    os.waitpid(pid, 0)  # the end of the first process ends all others of its namespace
    status, value = pickle.loads(data) if data else ("error", "the case died")
    if status != "ok":
        raise RuntimeError(value)
    return value


def read(path):
    """Returns the text of a file, or the name of the error."""
    try:
        with open(path) as f:
            return f.read().strip()
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def ip(batch, *flags, must=True):
    """Runs a batch of ip(8)."""
    p = subprocess.run(["ip", *flags, "-batch", "-"], input=batch.strip() + "\n", capture_output=True, text=True)
    if must and p.returncode != 0:
        raise RuntimeError(f"ip: {p.stderr}")
    return p


def attach(name, flags):
    """Attaches to a device, and returns the descriptor."""
    fd = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
    return fd
