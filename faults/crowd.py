"""Programs that work with the same names at the same time. Each puts (who, rounds, wrong, notes) into a queue."""

import collections
import errno
import os
import random
import re
import shutil
import subprocess
import time

from case import await_namespace
from links import Links, all_devices
from namespace import end_with_parent, read
from snapshot import memory

POOL = [f"p{i}" for i in range(6)]   # the names that apply declares
ADDED = [f"q{i}" for i in range(3)]  # those that add makes


def call(words):
    """Runs a command, and returns its exit status and its standard error."""
    p = subprocess.run(words, capture_output=True, text=True)
    return p.returncode, p.stderr.strip()


def unwanted(err):
    return "panic" in err or "put back" in err


class Foreigner:
    """Makes, renames, changes and deletes tuns of user 4242, and reports each that was touched by anybody else."""

    def __init__(self, seed):
        self.r, self.links, self.mine, self.wrong = random.Random(seed), Links(), {}, []

    def expect(self, error, what, *fine):
        if error not in (0, *fine):
            self.wrong.append(f"{what}: {errno.errorcode.get(error, error)}")

    def make(self):
        name = self.r.choice(POOL + ADDED)
        index = self.links.make(name, 1, 4242)
        if index > 0:
            mtu, up = self.r.randrange(1300, 1500), self.r.random() < 0.5
            self.expect(self.links.set(index, mtu=mtu, alias=f"theirs-{index}", up=up, group=77), "set of a new device")
            self.mine[index] = mtu

    def look(self, index):
        name = self.links.name(index)
        if name is None:
            self.wrong.append("a device is gone")
            del self.mine[index]
            return
        path = f"/sys/class/net/{name}/"
        seen = [read(path + f) for f in ("owner", "netdev_group", "ifalias")] + [self.links.mtu(name)]
        if seen != ["4242", "77", f"theirs-{index}", self.mine[index]]:
            self.wrong.append(f"device {index} {name} was changed: {seen}, MTU was {self.mine[index]}")
            self.mine[index] = seen[-1]

    def run(self, seconds):
        end, rounds = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            rounds += 1
            action = self.r.random()
            if len(self.mine) < 3 and action < 0.6 or not self.mine:
                self.make()
                continue
            index = self.r.choice(list(self.mine))
            if action < 0.75:
                name = self.r.choice(POOL + ADDED + [f"x{index}"])
                self.expect(self.links.rename(index, name), "rename", errno.EEXIST)
            elif action < 0.9:
                self.look(index)
            else:
                self.expect(self.links.delete(index), "delete")
                del self.mine[index]
        for index in self.mine:
            self.expect(self.links.delete(index), "the last delete")
        return rounds


def foreigner(seconds, seed, result):
    end_with_parent()
    f = Foreigner(seed)
    rounds = f.run(seconds)
    result.put(("foreigner", rounds, f.wrong, {}))


def adder(binary, seconds, seed, result, mq):
    """Adds taps by the names that others use too, and deletes them: those that add reports are there, whole."""
    end_with_parent()
    r, wrong, runs, end = random.Random(seed), [], 0, time.monotonic() + seconds
    codes = collections.Counter()
    while time.monotonic() < end:
        name, alias = r.choice(ADDED), f"ours-{seed}-{runs}"
        runs += 1
        code, err = call([binary, "add", name, "--mode", "tap", "--user", "daemon", "--mtu", "1400", "--alias", alias,
                          "--up", *(["--multi-queue"] if mq else [])])
        codes["add", code] += 1
        if code not in (0, 4) or unwanted(err):
            wrong.append(f"add: exit {code}: {err}")
        live = {i: d for i, d in all_devices().items() if d[2] == alias}
        if code == 0:
            if [d[1:] for d in live.values()] != [("daemon", alias, 1400, True, "default")]:
                wrong.append(f"add {name}: made {live}")
            code, err = call([binary, "delete", "--mode", "tap", name])
            codes["delete", code] += 1
            if code not in (0, 5):  # EBUSY beside the other one that looks
                wrong.append(f"delete: exit {code}: {err}")
        elif live:
            wrong.append(f"add {name} failed, and left {live}")
    result.put(("adder", runs, wrong, dict(codes)))


def applier(binary, seconds, seed, result, files):
    end_with_parent()
    r, wrong, runs, end = random.Random(seed), [], 0, time.monotonic() + seconds
    codes = collections.Counter()
    verbs = [["apply"], ["apply", "--prune"], ["apply", "--atomic"], ["apply", "--prune", "--atomic"], ["teardown"]]
    while time.monotonic() < end:
        verb = r.choice(verbs)
        shutil.copy(r.choice(files), "/run/cfg/a.toml.tmp")
        os.chmod("/run/cfg/a.toml.tmp", 0o600)
        os.rename("/run/cfg/a.toml.tmp", "/run/cfg/a.toml")
        code, err = call([binary, *verb, "/run/cfg/a.toml"])
        runs += 1
        codes[verb[0], code] += 1
        if code not in (0, 4) or unwanted(err):
            wrong.append(f"{verb}: exit {code}: " + re.sub(r"\bp\d", "pN", err))
    code, err = call([binary, "teardown", "/run/cfg/a.toml"])
    if left := {i: d for i, d in all_devices().items() if d[1] == "games"}:
        wrong.append(f"left after the last teardown (exit {code}, {err}): {left}, memory {memory()}")
    if memory():
        wrong.append(f"memory after the last teardown: {memory()}")
    result.put(("applier", runs, wrong, dict(codes)))


def renamer(seconds, seed, result):
    """Renames, moves away and deletes what others make."""
    end_with_parent()
    r, links, done = random.Random(seed), Links(), collections.Counter()
    end = time.monotonic() + seconds
    away = subprocess.Popen(["unshare", "-n", "sleep", str(seconds + 30)])
    await_namespace(away.pid)
    while time.monotonic() < end:
        try:
            index = links.index(r.choice(POOL[:3]))
        except OSError:
            continue
        action = r.random()
        if action < 0.5:
            done["rename", links.rename(index, r.choice(POOL[:3] + [f"y{index}"]))] += 1
        elif action < 0.7:
            done["delete", links.delete(index)] += 1
        elif action < 0.85:
            done["move", links.move(index, away.pid)] += 1
        else:
            done["down", links.set(index, up=False)] += 1
        time.sleep(r.random() * 0.004)
    away.kill()
    away.wait()
    result.put(("renamer", sum(done.values()), [], dict(done)))


def victim(binary, seconds, seed, result, mq):
    """Adds with everything while others rename, move and delete it: a failed add leaves nothing under any name."""
    end_with_parent()
    r, wrong, runs, codes = random.Random(seed), [], 0, collections.Counter()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        runs += 1
        owner, a, b = 10000 + seed * 100000 + runs, r.randrange(250), r.randrange(250)
        code, err = call([binary, "add", r.choice(POOL[:3]), "--mode", "tun", "--user", str(owner), "--mtu", "1400",
                          "--alias", "x", "--address", f"10.{seed}.{a}.1/24", "--address", f"fd00:{runs:x}::1/64",
                          "--route", f"10.{100 + seed}.{b}.0/24", "--up", *(["--multi-queue"] if mq else [])])
        codes[code] += 1
        live = {i: d for i, d in all_devices().items() if d[1] == str(owner)}
        if "panic" in err:
            wrong.append(err)
        if code and live:
            wrong.append(f"add failed and left {live}: {err}")
        wrong += [f"add: {d}" for d in live.values() if code == 0 and d[2:4] != ("x", 1400)]
        for index in live:
            Links().delete(index)
    result.put(("victim", runs, wrong, dict(codes)))
