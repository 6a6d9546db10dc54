"""The accepted outcomes: violations that a fact explains. Everything else fails."""

import fnmatch
import re
import typing


class Outcome(typing.NamedTuple):
    case: str   # pattern of "MODE SCENARIO SPEC", as in "error set-all recvfrom:ENOBUFS:3"
    kind: str   # pattern of the violation
    lines: str  # a regular expression that each line of it matches
    why: str    # the fact


OUTCOMES = [
]


class Table:
    """The table, and which of its rows matched."""

    def __init__(self, rows=OUTCOMES):
        self.rows, self.used = rows, set()

    def accepts(self, case, kind, lines):
        """Returns the row that explains a violation, or None."""
        for row in self.rows:
            if fnmatch.fnmatchcase(case, row.case) and fnmatch.fnmatchcase(kind, row.kind) \
                    and all(re.search(row.lines, line) for line in lines):
                self.used.add(row)
                return row
        return None

    def stale(self):
        return [row for row in self.rows if row not in self.used]
