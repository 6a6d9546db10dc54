"""Surroundings: closed descriptors, limits, full, missing and damaged files, missing capabilities."""

import glob
import os
import resource
import subprocess
import time


def limit(which, soft):
    return lambda: resource.setrlimit(getattr(resource, which), (soft, soft))


def closed(*fds):
    def close():
        for fd in fds:
            os.close(fd)
    return close


def full():
    return os.open("/dev/full", os.O_WRONLY)


def gone_pipe():
    r, w = os.pipe()
    os.close(r)
    return w


def shell(line):
    return lambda: subprocess.run(["bash", "-ec", line], check=True)


def setpriv(*words):
    return dict(prefix=["setpriv", *words])


class Unsupported(Exception):
    """This machine cannot provide these surroundings."""


class Cgroup:
    """A control group with one limit, of version 1 or 2, whichever has the controller."""

    FILES = {"pids": ("pids.max", "pids.max"), "memory": ("memory.limit_in_bytes", "memory.max")}

    def __init__(self, controller, value, owner):
        path, version = self.find(controller)
        self.path = f"{path}/tunadm-faults-{owner}-{os.getpid()}"
        try:
            os.makedirs(self.path, exist_ok=True)
            with open(f"{self.path}/{self.FILES[controller][version - 1]}", "w") as f:
                f.write(str(value))
            self.fd = os.open(self.path + "/cgroup.procs", os.O_WRONLY)
        except OSError as e:
            if os.path.isdir(self.path):
                os.rmdir(self.path)
            raise Unsupported(f"no control group for {controller}: {e.strerror}")

    @staticmethod
    def find(controller):
        """Returns the mount point with the controller, and its version."""
        with open("/proc/self/mounts") as f:
            mounts = [line.split() for line in f]
        for _, path, kind, flags, *_ in mounts:
            if kind == "cgroup" and controller in flags.split(","):
                return path, 1
        for _, path, kind, *_ in mounts:
            if kind == "cgroup2":
                with open(path + "/cgroup.subtree_control") as f:
                    if controller in f.read().split():
                        return path, 2
        raise Unsupported(f"no control group has the controller {controller}")

    def join(self):
        os.write(self.fd, b"0")

    def close(self):
        os.close(self.fd)
        remove_group(self.path)


def remove_group(path):
    end = time.monotonic() + 5
    while time.monotonic() < end:
        try:
            return os.rmdir(path)
        except OSError:
            time.sleep(0.01)


def remove_groups(owner):
    """Removes the groups that the workers of a harness left."""
    for controller in Cgroup.FILES:
        try:
            for path in glob.glob(f"{Cgroup.find(controller)[0]}/tunadm-faults-{owner}-*"):
                remove_group(path)
        except (Unsupported, OSError):
            pass


# Each has: what is done in the namespace before the command; what in its process before it is executed, or the
# controller and the value of a control group; and how the command is started.
def _limits():
    yield "stdout-full", None, None, dict(stdout=full)
    yield "stdout-closed", None, closed(1), {}
    yield "stdout-gone", None, None, dict(stdout=gone_pipe)
    yield "stderr-full", None, None, dict(stderr=full, verbose=True)
    yield "stderr-closed", None, closed(2), dict(verbose=True)
    yield "stderr-gone", None, None, dict(stderr=gone_pipe, verbose=True)
    yield "stdin-closed", None, closed(0), {}
    yield "all-closed", None, closed(0, 1, 2), {}
    for n in (0, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 20, 24, 32, 63, 64, 65, 66):
        yield f"nofile-{n}", None, limit("RLIMIT_NOFILE", n), {}
    for mb in list(range(600, 860, 20)) + list(range(1240, 1340, 10)):
        yield f"as-{mb}M", None, limit("RLIMIT_AS", mb << 20), {}
    for size in (0, 1, 100, 500):
        yield f"fsize-{size}", None, limit("RLIMIT_FSIZE", size), {}
    yield "memlock-0", None, limit("RLIMIT_MEMLOCK", 0), {}
    yield "stack-64K", None, limit("RLIMIT_STACK", 65536), {}
    for n in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12):
        yield f"pids-{n}", None, ("pids", n), {}
    for kb in (512, 1024, 1536, 2048, 2560, 3072, 3584, 4096, 5120, 6144, 8192):
        yield f"memory-{kb}K", None, ("memory", kb << 10), {}


def _files():
    def each(line):
        return f"mkdir -p -m 700 /run/tunadm; shopt -s nullglob; for f in /run/tunadm/*.json; do {line}; done; true"
    tunadm = "mkdir -p -m 700 /run/tunadm; rm -f /run/tunadm/lock; "
    small = dict(small=True)
    yield "run-full", shell("dd if=/dev/zero of=/run/fill bs=4k status=none 2>/dev/null || true"), None, small
    fill = "for i in $(seq 1 2000); do : >/run/i$i || break; done 2>/dev/null || true"
    yield "run-no-inodes", shell(fill), None, small
    yield "run-ro", shell("mount -o remount,ro /run"), None, {}
    bind = "mount --bind /run/tunadm /run/tunadm && mount -o remount,ro,bind /run/tunadm"
    yield "tunadm-ro", shell("mkdir -p /run/tunadm && " + bind), None, {}
    yield "tunadm-file", shell("rm -rf /run/tunadm; : >/run/tunadm"), None, {}
    yield "tunadm-link", shell("rm -rf /run/tunadm; mkdir -m 700 /run/other; ln -s other /run/tunadm"), None, {}
    yield "tunadm-0777", shell("mkdir -p /run/tunadm; chmod 0777 /run/tunadm"), None, {}
    yield "tunadm-theirs", shell("mkdir -p /run/tunadm; chown daemon /run/tunadm"), None, {}
    yield "lock-fifo", shell(tunadm + "mkfifo /run/tunadm/lock"), None, {}
    yield "lock-link", shell(tunadm + "ln -s /etc/passwd /run/tunadm/lock"), None, {}
    yield "new-is-directory", shell(each("mkdir -p $f.new")), None, {}
    yield "json-is-directory", shell(each("rm -f $f; mkdir -p $f")), None, {}
    yield "json-damaged", shell(each("test -f $f && echo '{\"vers' >$f")), None, {}
    yield "json-0", shell(each("test -f $f && : >$f")), None, {}
    yield "no-proc", shell("umount -l /proc"), None, {}
    yield "proc-hidepid", shell("mount -o remount,hidepid=2 /proc"), None, {}
    yield "no-sys", shell("umount -l /sys; umount -l /sys || true; mount -t tmpfs tmpfs /sys"), None, {}
    yield "no-node", shell("mount -t tmpfs tmpfs /dev/net"), None, {}
    yield "other-node", shell("mount -t tmpfs tmpfs /dev/net; : >/dev/net/tun"), None, {}
    empty = "mount -t tmpfs -o size=0,nr_inodes=1 tmpfs /run 2>/dev/null"
    yield "no-run", shell(f"umount -l /run; {empty}; mount -o remount,ro /run"), None, {}


def _rights():
    yield "environment-1M", None, None, dict(env={f"V{i}": "x" * 100000 for i in range(10)})
    yield "environment-none", None, None, dict(bare=True)
    yield "nice", None, lambda: os.nice(19), {}
    yield "uid-1-capable", None, None, setpriv("--reuid", "1", "--regid", "1", "--clear-groups", "--inh-caps",
                                               "+net_admin", "--ambient-caps", "+net_admin")
    yield "no-net-admin", None, None, setpriv("--bounding-set", "-net_admin")
    yield "no-dac-override", None, None, setpriv("--bounding-set", "-dac_override,-dac_read_search,-sys_ptrace")
    yield "only-net-admin", None, None, setpriv("--bounding-set", "-all,+net_admin")


SURROUNDINGS = {name: rest for table in (_limits, _files, _rights) for name, *rest in table()}
