"""The races: others do the same, or the reverse, at the same time. Each yields (who, rounds, wrong, notes)."""

import collections
import multiprocessing
import os
import random
import subprocess
import time

from case import Case
from crowd import POOL, adder, applier, call, foreigner, renamer, victim
from devices import CFG
from links import Links, all_devices
from namespace import apart, attach, ip
from scenarios import SCENARIOS
from snapshot import differences, memory, snapshot


def write(path, text):
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o600)


def together(*work):
    """Runs (function, arguments before the queue, arguments after it) at once, and returns what they put."""
    queue = multiprocessing.Queue()
    running = [multiprocessing.Process(target=f, args=(*first, queue, *last)) for f, first, last in work]
    for p in running:
        p.start()
    results = [queue.get() for _ in work]
    for p in running:
        p.join()
    return results


def start(words):
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def race_foreign(options):
    """Foreign devices come, go and change their names among those of add, delete, apply and teardown."""
    def inside():
        files, b, s = [], options.binary, options.seconds
        head = '[defaults]\nuser = "games"\nmode = "tap"\nmtu = 1390\nalias = "applied"\n'
        for k, names in enumerate((POOL[:4], POOL[2:6], POOL[:1], [])):
            files.append(f"/run/cfg/f{k}")
            write(files[-1], head + "".join(f"[device.{n}]\n" for n in names))
        results = together((foreigner, (s, 1), ()), (foreigner, (s, 2), ()), (adder, (b, s, 3), (False,)),
                           (adder, (b, s, 4), (True,)), (applier, (b, s, 5), (files,)))
        return results + [("left", 1, [str(d) for d in all_devices().values()], {})]
    return apart(inside)


def race_renamed(options):
    """Others rename, move away and delete what add makes."""
    s, b = options.seconds, options.binary
    return apart(together, (renamer, (s, 1), ()), (victim, (b, s, 2), (False,)), (victim, (b, s, 3), (True,)))


def _win(binary, n):
    """20 adds of one name at once, and what is wrong with their ends."""
    name, mq = ("w%d" if n % 10 == 9 else f"w{n % 7}"), (["--multi-queue"] if n % 3 == 2 else [])
    words = [binary, "add", name, "--mode", "tap", "--mtu", "1400", "--up", "--alias", "x", *mq]
    running = [start([*words, "--user", str(41000 + i)]) for i in range(20)]
    ends = [(p.communicate()[1], p.returncode) for p in running]
    won = [i for i, (_, code) in enumerate(ends) if code == 0]
    live = all_devices()
    wrong = [f"exit {code}: {err.strip()}" for err, code in ends if code not in (0, 4)]
    wanted = sorted(str(41000 + i) for i in won)
    if len(won) != (20 if name == "w%d" else 1) or sorted(str(d[1]) for d in live.values()) != wanted:
        wrong.append(f"{name}: {len(won)} won, there are {live}")
    if any(d[2:5] != ("x", 1400, True) for d in live.values()):
        wrong.append(f"not whole: {live}")
    if live:
        code, err = call([binary, "delete", *[d[0] for d in live.values()]])
        wrong += [f"delete: {err}"] if code else []
    return wrong, [code for _, code in ends]


def race_winner(options):
    """20 adds of one name at once: one wins."""
    def inside():
        ends = [_win(options.binary, n) for n in range(options.rounds)]
        codes = collections.Counter(c for _, all_ in ends for c in all_)
        return [("winner", options.rounds, [w for wrong, _ in ends for w in wrong], dict(codes))]
    return apart(inside)


def _settled(binary):
    """One apply and one teardown of each file put everything in order."""
    wrong = []
    for k in range(3):
        for words in (["apply"], ["apply", "--check"], ["teardown"]):
            code, err = call([binary, *words, f"/run/cfg/{k}.toml"])
            wrong += [f"{words}: exit {code}: {err}"] if code else []
    return wrong + ([f"left {all_devices()} {memory()}"] if all_devices() or memory() else [])


def race_apply(options):
    """8 applies and teardowns at once, of the same file and of others; then one apply and one teardown."""
    lines = [["apply"], ["apply", "--prune"], ["teardown"], ["apply", "--atomic"], ["teardown"], ["apply"],
             ["apply", "--prune"], ["teardown", "--force"]]

    def inside():
        wrong, codes = [], collections.Counter()
        for k in range(3):
            write(f"/run/cfg/{k}.toml", "".join(
                f'[device.a{k}x{i}]\nmode = "tun"\nuser = "games"\naddresses = ["10.{k}.{i}.1/24"]\nmtu = 1400\n'
                for i in range(6)))
        for n in range(options.rounds):
            running = [start([options.binary, *words, f"/run/cfg/{i // 3 if n % 2 else 0}.toml"])
                       for i, words in enumerate(lines)]
            for p in running:
                err = p.communicate()[1].strip()
                codes[p.returncode] += 1
                wrong += [f"exit {p.returncode}: {err}"] if p.returncode else []
            if n % 10 == 9 or n == options.rounds - 1:
                wrong += _settled(options.binary)
        return [("apply", options.rounds, wrong, dict(codes))]
    return apart(inside)


# Others made one of these in place of the remembered tun1: what, and how.
STEALS = {
    "a bridge of its name and index": lambda links, index: ip(f"link add tun1 index {index} type bridge"),
    "a bridge of its name": lambda links, index: ip("link add tun1 type bridge"),
    "a tap of another name and its index": lambda links, index: links.make("other", 2, 4242, index),
    "a tap of its name": lambda links, index: links.make("tun1", 2, 4242),
    "a tun of its name and index": lambda links, index: links.make("tun1", 1, 4242, index),
}


def _steal(binary, what, words):
    write(CFG, '[device.tun1]\nuser = "games"\n[device.tun2]\nuser = "games"\n')
    subprocess.run([binary, "apply", CFG], check=True)
    links = Links()
    index = links.index("tun1")
    links.delete(index)
    STEALS[what](links, index)
    if words[-1] == "--prune":
        write(CFG, '[device.tun2]\nuser = "games"\n')
    before = snapshot()
    code, err = call([binary, *words, CFG])
    now = snapshot()
    changed = [line for n in set(before) - {"tun2"} for line in differences(before.get(n), now.get(n), who=n)]
    return [f"{what}; {' '.join(words)}: exit {code}; {'; '.join(changed)}; says {err!r}"] if changed else []


def race_index(options):
    """A device of apply is gone, and its index or its name is another's by now: teardown and --prune leave that alone.
    A plain apply changes a device of the declared name, whoever made it."""
    verbs = (["teardown"], ["teardown", "--force"], ["apply", "--prune"])
    wrong = [w for what in STEALS for words in verbs for w in apart(_steal, options.binary, what, words)]
    return [("index", len(STEALS) * len(verbs), wrong, {})]


def _daemon(w):
    """Opens tun1 again and again until it gets it, holds it for a second, and writes whether it is still there."""
    links, end, fd = Links(), time.monotonic() + 3, None
    while fd is None and time.monotonic() < end:
        try:
            fd = attach("tun1", 0x1001)
        except OSError:
            pass
    if fd is None:
        return
    index, end = links.index("tun1"), time.monotonic() + 1
    while time.monotonic() < end and links.name(index):
        time.sleep(0.01)
    os.write(w, b"kept it" if links.name(index) else b"lost it")


def _replace(binary):
    ip("link set lo up\ntuntap add dev tun1 mode tap\nlink set tun1 up")
    write(CFG, '[device.tun1]\nmode = "tun"\nmulti_queue = true\naddresses = ["10.1.0.1/24"]\n')
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(w, b".")
        try:
            _daemon(w)
        finally:
            os._exit(0)
    os.close(w)
    os.read(r, 1)  # it runs
    code, err = call([binary, "apply", "--replace", CFG])
    os.waitpid(pid, 0)
    return code, os.read(r, 100).decode() or "never got it", err


def race_replace(options):
    """A daemon takes the name while apply --replace makes room: the device that it got stays."""
    ends = [apart(_replace, options.binary) for _ in range(options.rounds)]
    wrong = [f"exit {code}, the daemon {end}: {err}" for code, end, err in ends if end == "lost it"]
    return [("replace", options.rounds, wrong, dict(collections.Counter((code, end) for code, end, _ in ends)))]


def _down(binary, delay):
    s, links = SCENARIOS["set-all"], Links()
    Case(binary, s).prepare()
    index = links.index("tap7")
    p = start([binary, *s.args])
    time.sleep(delay)
    links.set(index, up=False)
    err = p.communicate()[1].strip()
    now = snapshot()["tap7"]
    return p.returncode, (now["master"], now["sys_owner"], now["sys_group"]), err


def race_down(options):
    """Somebody takes the device down during a set. A set that fails leaves neither its master nor its owner."""
    ends = [apart(_down, options.binary, random.random() * 0.012) for _ in range(options.rounds)]
    wrong = [f"exit {code}, master, owner, group {left}: {err}" for code, left, err in ends
             if code and left != (None, "1", "1")]
    return [("down", options.rounds, wrong, dict(collections.Counter(e[:2] for e in ends)))]


RACES = {"replace": race_replace, "down": race_down, "winner": race_winner, "foreign": race_foreign,
         "apply": race_apply, "renamed": race_renamed, "index": race_index}


def race(names, options, report):
    for name in names:
        started = time.monotonic()
        for who, rounds, wrong, notes in RACES[name](options):
            repeat = f"race {name} --rounds {options.rounds} --seconds {options.seconds}"
            for w, n in collections.Counter(w.strip() for w in wrong).items():
                report.case("race", name, who, [("wrong", [w])], f"{n} of {rounds}", "", repeat)
            report.count(rounds - len(wrong))
            print(f"race {name}: {who}: {notes}", flush=True)
            report.group(f"race {name}", started, rounds, kinds=["wrong"] * len(wrong))
