"""What becomes of the packet verbs when their device is deleted, downed, renamed or moved under them."""

import multiprocessing
import os
import signal
import subprocess
import time

from case import await_namespace
from command import Command, processor, text
from namespace import apart, ip, read
from snapshot import compare, memory, snapshot
from sweep import worker

LOOP = ["loop", "--a", "10.91.0.1", "--b", "10.91.0.2"]
TUNNEL = ["tunnel", "u0", "--plain"]
VERBS = {
    "dump": ["dump", "u0"],
    "dump --write": ["dump", "u0", "--write", "/run/out.pcapng"],
    "echo": ["echo", "u0"],
    "watch": ["watch", "u0"],
    "tunnel tcp listen": [*TUNNEL, "--listen", "127.0.0.1"],
    "tunnel udp listen": [*TUNNEL, "--udp", "--listen", "127.0.0.1"],
    "tunnel tcp connect": [*TUNNEL, "--connect", "127.0.0.1:9"],
    "tunnel udp connect": [*TUNNEL, "--udp", "--connect", "127.0.0.1:9"],
    "loop": [*LOOP, "--a-device", "u0"],
    "loop, its own": LOOP,
    "loop -v": [*LOOP, "-v", "--a-device", "u0"],
    "loop --": [*LOOP, "--a-device", "u0", "--", "sleep", "2"],
    "exec": ["exec", "u0", "--", "sleep", "2"],
}
ACTIONS = {
    "delete": "link del {0}",
    "down, up": "link set {0} down\nlink set {0} up",
    "rename": "link set {0} down\nlink set {0} name other\nlink set other up",
    "move": None,
    "flush": "addr flush dev {0}",
    "mtu 68": "link set {0} mtu 68",
    "queue 0": "link set {0} txqueuelen 0",
    "rules": "rule flush\nrule add pref 32766 lookup main",
}
BUSY = 60  # percent of a processor without traffic


def _ready(p, verb, device, err):
    """Waits until the verb is attached, or says that it is ready."""
    end = time.monotonic() + 3
    while p.poll() is None and time.monotonic() < end:
        if "loop" in verb and "is ready" in text(err) or verb == "watch" and time.monotonic() > end - 2.5:
            return
        if "loop" not in verb and verb != "watch" and read(f"/sys/class/net/{device}/carrier") == "1":
            return
        time.sleep(0.01)


def _act(action, device):
    if action != "move":
        ip(ACTIONS[action].format(device), must=False)
        return None
    helper = subprocess.Popen(["unshare", "-n", "sleep", "30"])
    await_namespace(helper.pid)
    ip(f"link set {device} netns {helper.pid}", must=False)
    return helper


def _end(p):
    """Ends a verb that goes on, and returns what is wrong with it."""
    before = processor(p.pid)
    time.sleep(0.5)
    used = (processor(p.pid) - before) * 100 / os.sysconf("SC_CLK_TCK") / 0.5
    p.send_signal(signal.SIGTERM)
    try:
        p.wait(5)
    except subprocess.TimeoutExpired:
        p.kill()
        p.wait()
        return ["hangs after SIGTERM"]
    return [f"uses {used:.0f}% of a processor"] if used > BUSY else []


def _under(binary, verb, action):
    """Returns how it ended, and the violations."""
    ip("link set lo up")
    subprocess.run([binary, "add", "u0", "--mode", "tun", "--address", "10.60.0.1/24", "--up"], check=True,
                   capture_output=True)
    before = snapshot()
    c = Command([])
    p = subprocess.Popen([binary, *VERBS[verb]], stdout=c.out, stderr=c.err, stdin=subprocess.DEVNULL)
    device = "tun0" if verb == "loop, its own" else "u0"
    _ready(p, verb, device, c.err)
    helper = _act(action, device)
    peer = "10.91.0.2" if "loop" in verb else "10.60.0.2"
    ping = subprocess.Popen(["ping", "-q", "-c", "3", "-i", "0.05", "-W", "1", peer], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    try:
        p.wait(4 if "sleep" in VERBS[verb] else 2)
    except subprocess.TimeoutExpired:
        pass
    ping.kill()
    ping.wait()
    alive = p.poll() is None
    wrong = _end(p) if alive else []
    if helper:
        helper.kill()
        helper.wait()
    now, said = snapshot(), text(c.err)
    kept = [{k: v for k, v in s.items() if k not in ("u0", "other")} for s in (before, now)]
    if action != "rules":  # others changed them
        wrong += [f"left: {line}" for line in compare(*kept)]
    if memory():
        wrong.append(f"memory: {memory()}")
    if "panic" in said or "goroutine" in said:
        wrong.append("crash")
    return f"{'goes on until SIGTERM' if alive else 'ends by itself'}, exit {p.returncode}", wrong, said


def _one(job):
    try:
        return job, apart(_under, *job)
    except RuntimeError as e:
        return job, e


def under(options, report):
    started = time.monotonic()
    cases = [(options.binary, v, a) for v in VERBS for a in ACTIONS if a != "rules" or v.startswith("loop")]
    with multiprocessing.Pool(options.jobs, worker) as pool:
        for (_, verb, action), r in pool.imap_unordered(_one, cases):
            if isinstance(r, RuntimeError):
                report.broken("under", verb, action, str(r))
                continue
            how, wrong, said = r
            if options.verbose:
                print(f"under {verb}; {action}: {how}; says {said!r}")
            report.case("under", verb, action, [("wrong", wrong)] if wrong else [], how, said, "under")
        pool.close()
        pool.join()
    report.group("under", started, len(cases))
