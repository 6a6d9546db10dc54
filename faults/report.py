"""Counts, violations as they come, and the closing line."""

import collections
import json
import sys
import time

from outcomes import Table

SHOWN = 3  # violations of one kind that are shown with their lines
LINES = 8  # of them


class Report:
    def __init__(self, path=None):
        self.file = open(path, "a") if path else None
        self.table, self.shown = Table(), collections.Counter()
        self.passed = self.failed = 0
        self.skips, self.accepted = collections.Counter(), collections.Counter()

    def case(self, mode, scenario, spec, found, at="", err="", repeat=None):
        """Counts one case with its violations: [(kind, lines)]. Returns the kinds that are not accepted."""
        name, bad = f"{mode} {scenario} {spec}".strip(), []
        for kind, lines in found:
            lines = [str(line) for line in lines]
            row = self.table.accepts(name, kind, lines, at, err)
            if self.file:
                self.file.write(json.dumps(dict(kind=kind, case=name, lines=lines, at=at, err=err.strip(),
                                                accepted=row and row.why)) + "\n")
                self.file.flush()
            if row:
                self.accepted[row] += 1
            else:
                bad.append(kind)
                self._show(f"{mode} {scenario}", name, kind, lines, at, err, repeat or f"one {name}")
        self.passed += not bad
        self.failed += bool(bad)
        return bad

    def _show(self, group, name, kind, lines, at, err, repeat):
        self.shown[group, kind] += 1
        print(f"not ok: {name}: {kind}", f"({at})" if at else "")
        if self.shown[group, kind] <= SHOWN:
            print(*(f"    {line[:400]}" for line in lines[:LINES]), sep="\n")
            print(*(f"    | {line[:400]}" for line in err.strip().splitlines()[:LINES]), sep="\n")
            print(f"    repeat: faults/faultcheck.py {repeat}", flush=True)

    def count(self, passed):
        """Counts cases without a violation."""
        self.passed += max(passed, 0)

    def skip(self, why, count=1):
        self.skips[why] += count

    def broken(self, mode, scenario, spec, why):
        """Counts a case that could not be run."""
        self.case(mode, scenario, spec, [("the case could not be run", [why])])

    def group(self, name, started, cases, calls="", kinds=()):
        words = ", ".join(f"{n} {k}" for k, n in sorted(collections.Counter(kinds).items())) or "ok"
        print(f"{name}: {cases} cases{calls}, {time.monotonic() - started:.0f} s: {words}", file=sys.stderr, flush=True)

    def close(self, complete):
        """Prints the end and returns the exit status. complete: each row of the table had its chance."""
        for row, n in self.accepted.items():
            print(f"accepted: {n} x {row.case}: {row.kind}: {row.why}")
        stale = self.table.stale() if complete else []
        for row in stale:
            print(f"not ok: stale row of outcomes.py, which explains nothing: {row.case}: {row.kind}")
        for why, n in self.skips.items():
            print(f"skipped: {n} x {why}")
        print(f"{self.passed} passed, {self.failed} failed, {sum(self.skips.values())} skipped")
        return 1 if self.failed or stale or not self.passed else 0
