#!/usr/bin/env python3
"""situations - hold tunadm doctor to hosts on which a TUN/TAP device does not work, or works in an unusual way.

    situations.py PATH-OF-TUNADM [--only REGEX] [--jobs N] [--show] [--json FILE]
    situations.py PATH-OF-TUNADM --trace   does trace print the reason for which the kernel drops the packets?
    situations.py --verify                 no doctor: does the probe fail, and does the known repair repair it?
    situations.py PATH-OF-TUNADM --sample N [--seed WORD]  N broken and all healthy ones; the seed is the date
    situations.py --list                   the table

The exit status is 1 if a check does not hold.
"""

import argparse
import datetime
import json
import os
import random
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

from judge import FIGURES, count, judge
from rows import SITUATIONS

HERE = os.path.dirname(os.path.abspath(__file__))


def launch(number, mode, program):
    """Runs one situation in its own namespaces, and returns its result."""
    pids = ["--pid", "--fork", "--kill-child", "--mount-proc"] if SITUATIONS[number].own_pids else []
    command = ["unshare", "--mount", "--net", *pids, "--propagation", "private",
               sys.executable, os.path.join(HERE, "inside.py"), mode, str(number)]
    env = dict(os.environ, T=program, PY=sys.executable, HELPER=os.path.join(HERE, "helpers.py"), LC_ALL="C")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=env) as p:
        try:
            out, errors = p.communicate(timeout=150)
        except subprocess.TimeoutExpired:
            p.kill()
            return dict(invalid="it takes longer than 150 s")
    try:
        return json.loads(out.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return dict(invalid="no result: " + errors[-300:])


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("program", nargs="?")
    parser.add_argument("--only", default="")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--json")
    parser.add_argument("--sample", type=int)
    parser.add_argument("--seed", default=str(datetime.datetime.now(datetime.timezone.utc).date()))
    for flag in ("--show", "--verify", "--trace", "--list"):
        parser.add_argument(flag, action="store_true")
    args = parser.parse_args()
    if not args.program and not args.verify and not args.list:
        parser.error("the path of tunadm is missing")
    return args


def listing():
    for s in SITUATIONS:
        print("%-8s %s%s" % ("missed" if s.missed else "healthy" if s.healthy else "broken", s.name,
                             " [%s]" % s.source if s.source else ""))
    print("%d broken, %d healthy" % (sum(not s.healthy for s in SITUATIONS), sum(s.healthy for s in SITUATIONS)))


def sample(todo, size, seed):
    """Returns all healthy situations, and some of the others: the same ones for a seed, in their order."""
    broken = [n for n in todo if not SITUATIONS[n].healthy and not SITUATIONS[n].missed]
    chosen = set(random.Random(seed).sample(broken, min(size, len(broken))))
    print("seed %s: %d of %d broken situations" % (seed, len(chosen), len(broken)), flush=True)
    return [n for n in todo if (SITUATIONS[n].healthy and not SITUATIONS[n].missed) or n in chosen]


def main():
    args = arguments()
    if args.list:
        listing()
        return 0
    mode = "verify" if args.verify else "trace" if args.trace else "examine"
    todo = [n for n, s in enumerate(SITUATIONS) if re.search(args.only, s.name) and (mode != "trace" or s.reason)]
    if args.sample is not None:
        todo = sample(todo, args.sample, args.seed)
    program = os.path.abspath(args.program or "/bin/false")
    held, failed, figures = 0, 0, dict.fromkeys(FIGURES, 0)
    results = []
    with ThreadPoolExecutor(args.jobs) as pool:
        for number, r in zip(todo, pool.map(lambda n: launch(n, mode, program), todo)):
            s = SITUATIONS[number]
            results.append(dict(vars(s), result=r))
            count(figures, s, r)
            for holds, message in judge(s, r, mode):
                held, failed = held + holds, failed + (not holds)
                if not holds:
                    print("NO: %s: %s" % (s.name, message), flush=True)
            for f in r.get("found") or [] if args.show else []:
                print("    %(level)s  %(check)s  %(what)s: %(means)s" % f, f.get("fix") or "", flush=True)
    if args.json:
        with open(args.json, "w") as out:
            json.dump(results, out, indent=1)
    if mode == "examine":
        print(", ".join("%s %d" % (FIGURES[k], n) for k, n in figures.items()))
    print("%d hold, %d do not" % (held, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
