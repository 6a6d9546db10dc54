"""A run of the program: started, told to end, stopped and continued, and never waited for without a limit."""

import os
import signal
import subprocess
import tempfile
import time

from namespace import read

LIMIT = 40  # seconds


class Command:
    """One run under prefix. runner: plain; ready, carrier: SIGTERM once the program says that it is ready, or once it
    is attached to device. on_stop is called when SIGSTOP came, with whether the
    program was told to end, and log is strace's."""

    def __init__(self, words, prefix=(), runner="plain", device="", on_stop=None, log=None,
                 stdin=subprocess.DEVNULL):
        self.words, self.prefix, self.runner, self.device = [*prefix, *words], list(prefix), runner, device
        self.on_stop, self.log, self.stdin = on_stop, log, stdin
        self.told, self.stopped = False, 0
        self.out, self.err = tempfile.TemporaryFile(), tempfile.TemporaryFile()

    def run(self, env, stdout=None, stderr=None, before=None):
        """Returns the exit status (None: it hung), the standard output and the standard error."""
        # The word that it is ready does not come where the standard error is lost.
        self.blind = bool(stderr or before or any("write:" in w for w in self.prefix))
        if self.stdin != subprocess.DEVNULL:
            self.stdin.seek(0)
        self.p = subprocess.Popen(self.words, stdin=self.stdin, stdout=stdout() if stdout else self.out,
                                  stderr=stderr() if stderr else self.err, env=env, preexec_fn=before)
        self.started = time.monotonic()
        pause = 0.0005
        while self.p.poll() is None and time.monotonic() < self.started + LIMIT:
            self._tell()
            self._continue()
            time.sleep(pause)
            pause = min(pause * 1.3, 0.01)
        code = self.p.poll()
        if code is None:
            for pid in descendants(self.p.pid):
                send(pid, signal.SIGKILL)
            self.p.kill()
            self.p.wait()
        return code, text(self.out), text(self.err)

    def _tell(self):
        if self.runner == "plain" or self.told:
            return
        if self.runner == "ready":
            now = "is ready" in text(self.err)
        else:
            now = read(f"/sys/class/net/{self.device}/carrier") == "1"
        if now or (self.blind or self.runner == "carrier") and time.monotonic() > self.started + 3:
            self.told = True
            for pid in children(self.p.pid) if self.prefix[:1] == ["strace"] else [self.p.pid]:
                send(pid, signal.SIGTERM)

    def _continue(self):
        """Each thread counts its calls by itself, and stops its process at its own; one that looks at descriptors is a
        child."""
        if not self.on_stop or (stops := read(self.log).count("stopped by SIGSTOP")) <= self.stopped:
            return
        if not self.stopped:
            self.on_stop(self.told)
        self.stopped = stops
        for pid in descendants(self.p.pid):
            send(pid, signal.SIGCONT)


def text(file):
    file.seek(0)
    return file.read().decode(errors="replace")


def send(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def children(pid):
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            words = read(f"/proc/{pid}/task/{task}/children").split()
            found += [int(c) for c in words if c.isdigit()]
    except OSError:
        pass
    return found


def descendants(pid):
    found = children(pid)
    return found + [d for c in found for d in descendants(c)]


def usage(pid):
    """Returns (kB resident, threads, descriptors) of a process, or None."""
    status = dict(line.split(":", 1) for line in read(f"/proc/{pid}/status").splitlines() if ":" in line)
    try:
        return int(status["VmRSS"].split()[0]), int(status["Threads"]), len(os.listdir(f"/proc/{pid}/fd"))
    except (KeyError, OSError):
        return None


def processor(pid):
    """Returns the clock ticks that a process used."""
    return sum(map(int, read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()[11:13]))
