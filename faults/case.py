"""One case: a scenario in namespaces of its own, undisturbed or disturbed in one of the ways."""

import errno
import os
import re
import signal
import subprocess
import time

from calls import TRACED, calls, strace
from command import Command
from devices import FOREIGN
from namespace import apart, attach, ip, mount, read
from snapshot import memory, snapshot
from surroundings import SURROUNDINGS

LOG = "/run/trace"
ACTS = re.compile(r"nlmsg_type=RTM_(NEW|DEL)(LINK|ADDR|ROUTE)")
CRASH = re.compile(r"^(panic|fatal error|goroutine \d+|runtime:)", re.M)

# How others interfere while the process is stopped: {0} is a device of the scenario, {1} its index, {2} another kind.
# Kind, name and index identify a device within one boot.
FOREIGN_TAP = "tuntap add dev {0} mode tap user games pi vnet_hdr\nlink set {0} address 02:66:66:66:66:66 alias foreign"
AWAY = "link set {0} down\nlink set {0} name away0"
MEDDLES = {
    "delete": "link del {0}",
    "rename": AWAY,
    "swap": AWAY + "\n" + FOREIGN_TAP,
    "replace": "link del {0}\n" + FOREIGN_TAP,
    "replace-index": "link del {0}\nlink add dev {0} index {1} address 02:66:66:66:66:66 type {2}",
    "take": FOREIGN_TAP,
    "mtu": "link set {0} mtu 1666",
    "down": "link set {0} down",
    "netns": None,
    "attach": None,
}


class Case:
    def __init__(self, binary, scenario):
        self.binary, self.s = binary, scenario
        self.program = os.path.join(os.path.dirname(binary), scenario.program) if scenario.program else binary

    def prepare(self):
        """Makes what is there before the command, and returns it: the devices and the memory."""
        ip(FOREIGN)
        if self.s.setup:
            ip(self.s.setup)
        for path, text in self.s.files.items():
            with open(path, "w") as f:
                f.write(text)
            os.chmod(path, 0o600)
        for words in self.s.prepare:
            foreign = words[0].startswith("+")
            line = [words[0][1:], *words[1:]] if foreign else [self.binary, *words]
            subprocess.run(line, check=True, capture_output=True)
        for path in self.s.files:
            os.chmod(path, 0o600)
        self.held = [hold(name, flags) for name, flags in self.s.held]
        self.stdin = open(self.s.stdin)
        return snapshot(), memory()

    def run(self, words, prefix=(), on_stop=None, env=None, bare=False, **how):
        if self.s.stdout and "stdout" not in how:
            how["stdout"] = lambda: os.open(self.s.stdout, os.O_WRONLY)
        env = {**({} if bare else os.environ), **self.s.env, **(env or {})}
        command = Command([self.program, *words], prefix, self.s.runner, self.s.own[0], on_stop, LOG, self.stdin)
        return command.run(env, **how)

    def result(self, before, known, ended, **more):
        code, out, err = ended
        log = read(LOG)
        came = re.search(r"--- SIG(TERM|INT|HUP|QUIT|PIPE) ", log) is not None
        return dict(before=before, known=known, now=snapshot(), memory=memory(), code=code, out=out, err=err,
                    calls=calls(log), came=came, **more)

    def traced(self):
        """The undisturbed command under strace."""
        before, known = self.prepare()
        return self.result(before, known, self.run(self.s.args, strace(LOG, ",".join(TRACED), None, self.s.becomes)))

    def disturbed(self, inject):
        """A call fails, or a signal comes with it: CALL:error=ERRNO:when=N."""
        before, known = self.prepare()
        prefix = strace(LOG, inject.split(":")[0], inject, self.s.becomes)
        return self.result(before, known, self.run(self.s.args, prefix))

    def repaired(self, r):
        """Runs the natural next commands after a killed or crashed one."""
        r["again"] = []
        for words in self.s.again:
            same = words[0] == "@"
            command = Command([self.program, *(self.s.args + words[1:] if same else words)],
                              runner=self.s.runner if same else "plain", device=self.s.own[0], stdin=self.stdin)
            r["again"].append((words, *command.run({**os.environ, **self.s.env, **self.s.again_env})))
        r["final"], r["final_memory"] = snapshot(), memory()
        return r

    def killed(self, inject):
        """The process is killed at a call, and the natural next commands follow."""
        return self.repaired(self.disturbed(inject))

    def meddled(self, inject, action, device):
        """The process is stopped at a call, others interfere, and it goes on."""
        before, known = self.prepare()
        meddler = Meddler(action, device)
        prefix = strace(LOG, inject.split(":")[0] + ",sendto,ioctl", inject, self.s.becomes)
        r = self.result(before, known, self.run(self.s.args, prefix, meddler.act), done=meddler.done)
        log = read(LOG)
        r["looked"] = not looks_later(log, device, action)
        r["attached"] = "TUNSETIFF" in log.partition("stopped by SIGSTOP")[0]
        meddler.end()
        return r

    def surrounded(self, name, group):
        """The command runs in other surroundings."""
        inside, before, how = SURROUNDINGS[name]
        how = dict(how)
        if how.pop("small", False):
            mount("tmpfs", "/run", "tmpfs", 0, "mode=755,size=32k,nr_inodes=30")
            os.mkdir("/run/cfg", 0o700)
        words = self.s.args
        if how.pop("verbose", False) and "-v" not in words and words[0] not in ("as", "exec"):
            words = [words[0], "-v", *words[1:]]
        state, known = self.prepare()
        if inside:
            inside()
        ended = self.run(words, how.pop("prefix", []), before=group.join if group else before, **how)
        for kind in {"no-sys": ["sysfs"], "no-proc": ["proc"]}.get(name, []):
            mount(kind, {"sysfs": "/sys", "proc": "/proc"}[kind], kind)
        r = self.result(state, known, ended)
        # Without threads or memory, Go's runtime and the kernel end a process anywhere.
        died = ended[0] == -signal.SIGKILL or CRASH.search(r["err"])
        return self.repaired(r) if died and self.s.again else r


def looks_later(log, device, action):
    """Reports whether the program could see the interference: whether it looks at the device of this name after it was
    stopped, and before it acts on a device whose index another one has now. A look by descriptor asks for the name, for
    the index of the name, and for the name again, which a device keeps in another namespace. A look by netlink names no
    device or this one, since strace knows no name of a device that is gone; or it asks for several."""
    earlier, _, later = log.partition("stopped by SIGSTOP")
    named, same_index = (f'ifr_name="{device}"', f'if_nametoindex("{device}")'), action == "replace-index"

    def concerns(text):
        return "[[" in text.split(", ")[1] or "if_nametoindex" not in text or named[1] in text
    last = [text for name, text, _ in calls(earlier) if name == "ioctl"][-1:]
    if action != "netns" and any(named[0] in text for text in last):
        return True
    for _, text, _ in calls(later):
        if same_index and ACTS.search(text) and concerns(text):
            return False
        if "RTM_GETLINK" in text and concerns(text) or not same_index and (named[0] in text or named[1] in text):
            return True
    return False


class Meddler:
    """Interferes once, and records the state before and after, under "before" and "then", and what came of it."""

    def __init__(self, action, device):
        self.action, self.device = action, device
        self.done, self.fds, self.helper = [], [], None

    def act(self, told):
        if not any(name == "sendto" for name, *_ in calls(read(LOG))):
            return  # the program has not looked at anything: it sees the device of the others, and no other
        before = snapshot()
        self.done += [("before", before), ("told to end", told)]
        there = before.get(self.device)
        if self.action == "attach":
            self._attach(there)
        elif self.action == "netns":
            if there:
                self.helper = subprocess.Popen(["unshare", "-n", "sleep", "20"])
                await_namespace(self.helper.pid)
                p = ip(f"link set {self.device} netns {self.helper.pid}", must=False)
                self.done.append(("did", p.returncode))
        elif bool(there) == (self.action != "take"):
            kind = (there or {}).get("linkinfo", {}).get("info_kind")
            other = "veth peer name away1" if kind == "bridge" else "bridge"
            p = ip(MEDDLES[self.action].format(self.device, (there or {}).get("index", 0), other), must=False)
            self.done.append(("did", p.stderr.strip() or p.returncode))
        self.done.append(("then", snapshot()))

    def _attach(self, there):
        info = ((there or {}).get("linkinfo") or {}).get("info_data", {})
        kind = {"tap": 2, "tun": 1}.get(info.get("type"), 0)
        if kind:
            try:
                self.fds.append(attach(self.device, kind | (0x100 if info["multi_queue"] else 0) | 0x1000))
                self.done.append(("did", 0))
            except OSError as e:
                self.done.append(("refused", str(e)))

    def end(self):
        for fd in self.fds:
            os.close(fd)
        if self.helper:
            self.helper.kill()
            self.helper.wait()


def hold(name, flags):
    """Attaches to a device, and returns the descriptor. It waits for the link-local address, which the kernel adds to a
    device that is up after it has noticed the carrier."""
    end = time.monotonic() + 5
    while True:
        try:
            fd = attach(name, flags)
            break
        except OSError as e:  # a program outside of the namespaces that examines descriptors holds them for a moment
            if e.errno != errno.EBUSY or time.monotonic() > end:
                raise
    up = int(read(f"/sys/class/net/{name}/flags"), 16) & 1
    while up and time.monotonic() < end and not re.search(rf"^fe80.* {name}$", read("/proc/net/if_inet6"), re.M):
        time.sleep(0.002)
    return fd


def await_namespace(pid):
    """Waits until a new process is in a network namespace of its own."""
    end, own = time.monotonic() + 5, os.readlink("/proc/self/ns/net")
    while time.monotonic() < end and os.readlink(f"/proc/{pid}/ns/net") == own:
        time.sleep(0.002)


def _run(binary, scenario, how, *args):
    return apart(getattr(Case(binary, scenario), how), *args)


def run_case(binary, scenario, mode, spec, group=None):
    """Runs one case, whose spec is as in "one MODE SCENARIO SPEC"."""
    parts = spec.split(":")
    if mode == "error":
        call, name, n = parts
        kind = "error" if name.startswith("E") else "signal"
        return _run(binary, scenario, "disturbed", f"{call}:{kind}={name}:when={n}")
    if mode == "kill":
        return _run(binary, scenario, "killed", f"{parts[0]}:signal=KILL:when={parts[1]}")
    if mode == "meddle":
        return _run(binary, scenario, "meddled", f"{parts[0]}:signal=STOP:when={parts[1]}", *parts[2:])
    return _run(binary, scenario, "surrounded", spec, group)
