"""The modes that run a scenario many times: error, kill, meddle, around."""

import collections
import multiprocessing
import os
import random
import re
import signal
import time

from calls import ERRNOS, KILLS, STOPS, ordinal
from case import MEDDLES, run_case
from judge import Baseline
from namespace import end_with_parent
from scenarios import SCENARIOS
from surroundings import SURROUNDINGS, Cgroup, Unsupported


class Error:
    """Each call fails, with each plausible errno, or with --signals a signal comes with it."""

    name = "error"

    def specs(self, base, options):
        for call, count in base.counts.items():
            errors = options.signals.split(",") if options.signals else ERRNOS.get(call, "").split()
            for e in errors if call in ERRNOS else []:
                if e != "EINTR" or not options.persist:
                    plus = "+" if options.persist else ""
                    yield from (f"{call}:{e}:{n}{plus}" for n in range(1, count + base.skipped[call] + 1))

    def reached(self, base, spec, r):
        """Returns what tells this case from others, and the text of the call; None: the call was not reached."""
        call, e, n = spec.split(":")
        place, text = ordinal(r["calls"], call, base.skipped[call])
        if not e.startswith("E"):
            place = int(n.rstrip("+")) if r["came"] else 0
        return ((call, e, place), f"{call}#{place}({text}") if place or call == "execve" else None

    def judge(self, base, spec, r):
        # Each thread counts by itself: where the work moved from one to another, two calls failed.
        twice = "twice: " * (sum(c[2] for c in r["calls"]) > 1 and not spec.endswith("+"))
        return [(twice + kind, lines) for kind, lines in base.judge(r) + base.judge_memory(r)]


class Kill:
    """The process is killed at each call, and the natural next command follows."""

    name = "kill"

    def specs(self, base, options):
        if base.s.again:
            for call, count in base.counts.items():
                if call in KILLS:
                    yield from (f"{call}:{n}" for n in range(1, count + base.skipped[call] + 1))

    def reached(self, base, spec, r):
        call = spec.split(":")[0]
        place = len([c for c in r["calls"] if c[0] == call]) - base.skipped[call]
        if r["code"] not in (-9, 137) or place < 1:
            return None
        return (call, place), f"{call}#{place}({r['calls'][-1][1]}"

    def judge(self, base, spec, r):
        return base.judge_kill(r)


class Meddle:
    """The process is stopped at each call, and somebody else interferes."""

    name = "meddle"

    def specs(self, base, options):
        devices = sorted({base.s.own[0], base.s.own[-1]})
        actions = [a for a in MEDDLES if re.search(options.only or "", a)]
        for call, count in base.counts.items():
            if call in STOPS:
                yield from (f"{call}:{n}:{a}:{d}" for n in range(1, count + base.skipped[call] + 1)
                            for a in actions for d in devices)

    def reached(self, base, spec, r):
        if not any(k == "did" for k, _ in r["done"]):
            return None
        call, n, action, device = spec.split(":")
        before = next(state for k, state in r["done"] if k == "before").get(device) or {}
        told = ", told to end" * any(k == "told to end" and v for k, v in r["done"])
        info = before.get("linkinfo", {})
        kept = info.get("info_data", {}).get("persist") or info.get("info_kind") == "bridge"
        at = spec + " kept" * bool(kept) + ", attached" * r["attached"] + ", looked at" * r["looked"] + told
        return (call, action, device, n), at

    def judge(self, base, spec, r):
        return base.judge_meddle(r, *spec.split(":")[2:])


class Around:
    """Closed descriptors, limits, full and missing file systems, missing capabilities."""

    name = "around"

    def specs(self, base, options):
        yield from (name for name in SURROUNDINGS if re.search(options.only or "", name))

    def reached(self, base, spec, r):
        return spec, spec

    def judge(self, base, spec, r):
        return base.judge(r) + base.judge_memory(r)


MODES = {mode.name: mode for mode in (Error(), Kill(), Meddle(), Around())}


def _one(job):
    """Returns the job and its result, or why there is none."""
    binary, mode, name, spec, owner = job
    group = None
    try:
        limit = SURROUNDINGS[spec][1] if mode == "around" else None
        if isinstance(limit, tuple):
            group = Cgroup(*limit, owner)
        return spec, run_case(binary, SCENARIOS[name], mode, spec, group)
    except (RuntimeError, Unsupported) as e:
        return spec, e
    finally:
        if group:
            group.close()


def chosen(specs, options):
    """Returns the specs of a sample. A fixed stride would choose the same devices and actions at every call."""
    cases = options.cases or -(-len(specs) // (options.sample or 1))
    if cases < len(specs):
        seed = options.seed if options.cases else options.sample
        return random.Random(seed).sample(specs, cases)
    return specs


def sweep(mode, names, options, report):
    with multiprocessing.Pool(options.jobs, worker) as pool:
        for name in names:
            _scenario(pool, mode, name, options, report)
        pool.close()
        pool.join()


def worker():
    """Prepares a process of the pool, which ends at once when the pool or the harness does."""
    end_with_parent()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def _scenario(pool, mode, name, options, report):
    started = time.monotonic()
    try:
        base = Baseline(options.binary, SCENARIOS[name])
    except RuntimeError as e:
        return report.broken(mode.name, name, "", str(e))
    kinds = collections.Counter(report.case("undisturbed", name, "", base.judge_undisturbed(), "", base.first["err"],
                                            f"list -v {name}"))
    if base.first["code"] is None:
        return
    specs = list(mode.specs(base, options))
    seen, cases = set(), 0
    jobs = [(options.binary, mode.name, name, spec, os.getpid()) for spec in chosen(specs, options)]
    for spec, r in pool.imap_unordered(_one, jobs, chunksize=2):
        if isinstance(r, Unsupported):
            report.skip(str(r))
        elif isinstance(r, RuntimeError):
            report.broken(mode.name, name, spec, str(r))
        elif (place := mode.reached(base, spec, r)) and place[0] not in seen:
            seen.add(place[0])
            cases += 1
            err = "\n".join([r["err"], *(a[3] for a in r.get("again", []))])
            kinds.update(report.case(mode.name, name, spec, mode.judge(base, spec, r), place[1], err))
    calls = {c for c in base.counts if any(s.startswith(c + ":") for s in specs)}
    hit = len({(p[0], p[-1]) for p in seen})
    most = sum(base.counts[c] for c in calls)
    report.group(f"{mode.name} {name}", started, cases, f" at {hit} of {most} calls" if calls else "", kinds.elements())
