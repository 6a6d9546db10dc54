#!/usr/bin/env python3
"""faultcheck - hold tunadm to its promises while calls fail, the process is killed, or others interfere.

    faultcheck.py list [SCENARIO...]     the scenarios, and how many system calls each makes
    faultcheck.py error [SCENARIO...]    each call fails, with each plausible errno
    faultcheck.py kill [SCENARIO...]     the process is killed at each call, and the natural next command follows
    faultcheck.py meddle [SCENARIO...]   the process is stopped at each call, and somebody else interferes
    faultcheck.py around [SCENARIO...]   closed descriptors, limits, full and missing file systems, missing rights
    faultcheck.py race [RACE...]         others do the same, or the reverse, at the same time
    faultcheck.py under                  the devices of the packet verbs deleted, downed, renamed and moved
    faultcheck.py soak                   the packet verbs side by side under load: memory, threads, descriptors
    faultcheck.py all                    all of these
    faultcheck.py sample                 a fixed sample, and one that --seed chooses (default: the date)
    faultcheck.py one MODE SCENARIO SPEC one case again, with its differences

The exit status is 1 if there is a violation that the table in outcomes.py does not accept.
"""

import argparse
import datetime
import multiprocessing
import os
import random
import signal
import sys
import time

from calls import ERRNOS, ordinal
from case import run_case
from judge import Baseline
from races import RACES, race
from report import Report
from scenarios import SCENARIOS
from snapshot import compare
from soak import soak
from surroundings import SURROUNDINGS, Cgroup, remove_groups
from sweep import MODES, sweep
from under import under

# What "sample" runs: mode, scenarios or races, and options.
FIXED = [
    ("error", "add-all set-all delete-3 apply-drift-atomic apply-replace exec-none", dict(sample=4)),
    ("error", "exec-vnet", dict(signals="TERM", sample=4)),
    ("kill", "add-all add-mq", {}),
    ("race", "replace down", dict(rounds=20)),
    ("around", "apply-replace apply-prune-yield", dict(only="run-full")),
]
ALL = [
    ("error", "", {}), ("kill", "", {}), ("around", "", {}), ("meddle", "", dict(sample=8)),
    ("race", "", {}), ("under", "", {}), ("soak", "", dict(seconds=300)),
]


def dated(seed):
    """Returns the part of the sample that a seed chooses."""
    r = random.Random(seed)
    yield "error", " ".join(r.sample(sorted(SCENARIOS), 3)), dict(cases=60, seed=seed)
    yield "kill", r.choice(sorted(n for n, s in SCENARIOS.items() if s.again)), dict(cases=60, seed=seed)
    yield "meddle", r.choice(sorted(SCENARIOS)), dict(cases=60, seed=seed)
    yield "around", r.choice(sorted(SCENARIOS)), dict(cases=25, seed=seed)
    yield "race", r.choice(sorted(RACES)), dict(rounds=10, seconds=10)


def words(options):
    """Returns the options that differ from the defaults, as they are typed."""
    return "".join(f" --{k} {v}" for k, v in options.items())


def run(mode, names, options, report):
    known = RACES if mode == "race" else SCENARIOS
    names = names or list(known)
    if unknown := [n for n in names if n not in known]:
        sys.exit(f"no {unknown[0]!r}; there are: {' '.join(known)}")
    if mode in MODES:
        sweep(MODES[mode], names, options, report)
    elif mode == "race":
        race(names, options, report)
    elif mode == "under":
        under(options, report)
    elif mode == "soak":
        soak(options, report)
    else:
        list_scenarios(names, options)


def run_all(parts, options, report):
    for mode, names, more in parts:
        print(f"== {mode} {names}{words(more)}", flush=True)
        run(mode, names.split(), argparse.Namespace(**{**vars(options), **more}), report)


def list_scenarios(names, options):
    for name in names:
        base = Baseline(options.binary, SCENARIOS[name])
        counts = {c: n for c, n in base.counts.items() if c in ERRNOS}
        shown = " ".join(f"{c}:{n}" for c, n in sorted(counts.items()))
        print(f"{name:22} {sum(counts.values()):4}  exit {base.first['code']}  {shown}")
        if options.verbose:
            print("masked:", sorted(base.mask), *compare(base.before, base.after), sep="\n    ")
            print(base.first["err"])
        for kind, lines in base.judge_undisturbed():
            print(f"{kind}:", *lines, sep="\n    ")


def one(mode, name, spec, options, report):
    s = SCENARIOS[name]
    base = Baseline(options.binary, s)
    limit = SURROUNDINGS[spec][1] if mode == "around" else None
    group = Cgroup(*limit, os.getpid()) if isinstance(limit, tuple) else None
    try:
        r = run_case(options.binary, s, mode, spec, group)
    finally:
        if group:
            group.close()
    err = r["err"]
    print("$ tunadm", *s.args)
    print(r["out"] + err + f"exit {r['code']}")
    call = spec.split(":")[0]
    if mode != "around":
        place, text = ordinal(r["calls"], call, base.skipped[call])
        print(f"-- {call} number {place} of the program's own: {text}")
    if options.verbose:
        print("\n".join(f"   {n}({t}" for n, t, _ in r["calls"]))
    print("-- before -> now", *compare(r["before"], r["now"]), sep="\n    ")
    print("-- memory:", r["known"], "->", r["memory"])
    for k, v in r.get("done", []):
        print("--", k, "" if isinstance(v, dict) else v)
    for again, code, out, e in r.get("again", []):
        print("$ tunadm", *(s.args + again[1:] if again[0] == "@" else again))
        print(out + e + f"exit {code}")
    if "final" in r:
        print("-- now -> final", *compare(r["now"], r["final"]), sep="\n    ")
        print("-- memory:", r["final_memory"])
    place = MODES[mode].reached(base, spec, r)
    if not place:
        why = "the call was not reached; the threads count by themselves: repeat it"
        if r.get("done"):
            why = "nobody could interfere: " + ("the name was taken" if ":take:" in spec else "there was no device yet")
        print("--", why)
        report.skip(why)
    for kind, lines in MODES[mode].judge(base, spec, r):
        print(f"-- {kind}:", *lines, sep="\n    ")
    report.case(mode, name, spec, MODES[mode].judge(base, spec, r), place[1] if place else "", err)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=["list", *MODES, "race", "under", "soak", "all", "sample", "one"])
    parser.add_argument("words", nargs="*", help="scenarios or races; one: MODE SCENARIO SPEC")
    parser.add_argument("--binary", default="./tunadm", help="the program (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="cases at a time (default: %(default)s)")
    parser.add_argument("--report", help="append the violations to this file, as JSON lines")
    parser.add_argument("--persist", action="store_true", help="error: the call and all later ones of its kind fail")
    parser.add_argument("--signals", help="error: these signals (TERM,INT,HUP,QUIT,PIPE) come instead of errors")
    parser.add_argument("--only", help="around, meddle: those surroundings or actions that match")
    parser.add_argument("--sample", type=int, default=0, help="one case of so many")
    parser.add_argument("--cases", type=int, default=0, help="so many cases of a scenario, which --seed chooses")
    parser.add_argument("--seed", default=datetime.date.today().isoformat(), help="default: the date, %(default)s")
    parser.add_argument("--seconds", type=int, default=60, help="race, soak: how long (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=300, help="race: how often (default: %(default)s)")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_intermixed_args()
    options.binary = os.path.abspath(options.binary)
    return options


def ended(number, _):
    sys.exit(128 + number)


def main():
    options = arguments()
    if os.geteuid() != 0 or not os.access(options.binary, os.X_OK):
        sys.exit("faultcheck: needs root, and the program: make")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ended)
    started, report = time.monotonic(), Report(options.report)
    try:
        if options.mode == "one":
            one(*options.words, options, report)
        elif options.mode == "all":
            run_all(ALL, options, report)
        elif options.mode == "sample":
            run_all(FIXED, options, report)
            print(f"== seed {options.seed}; repeat: faults/faultcheck.py sample --seed {options.seed}")
            run_all(dated(options.seed), options, report)
        else:
            run(options.mode, options.words, options, report)
        if options.mode != "list":
            print(f"{time.monotonic() - started:.0f} seconds")
            return report.close(options.mode == "all")
    finally:
        remove_groups(os.getpid())


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    sys.exit(main())
