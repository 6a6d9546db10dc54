"""The table of situations. Each file of situations adds its rows with broken() and healthy()."""

from dataclasses import dataclass

SITUATIONS = []


@dataclass
class Situation:
    """A host on which a device does not work, or works in an unusual way."""

    name: str
    args: str                   # the arguments of doctor
    setup: str                  # a script with the words of prelude.bash
    healthy: bool = False
    want: str = ""              # a regular expression that must match one of the first three findings
    level: str = ""             # the level of this finding: error or warning; empty: both are right
    probe: str = ""             # a script that succeeds if the device works
    repair: str = ""            # a script that is known to repair the set-up
    fix: bool | None = None     # True: the first fix of the finding makes the probe succeed. False: no command can
    passed: bool = False        # passed checks count too
    command: str = ""           # another command line for doctor
    badfix: str = ""            # no fix may match it
    needfix: str = ""           # a fix must match it
    reason: str = ""            # what trace prints for the packets that the kernel drops here: a regular expression
    traffic: str = ""           # a script that sends such packets; by default the probe
    device: str = ""            # the device to trace; by default the first word of args
    requires: str = ""          # a script that fails if the kernel cannot build the situation
    own_pids: bool = True       # the situation has its own PID namespace
    missed: str = ""            # what doctor lacks to find it: the row must fail, and is no part of a sample
    source: str = ""            # who reported it


def broken(name, args, setup, **more):
    """Adds a situation in which the probe fails, and the cause is what `want` says."""
    SITUATIONS.append(Situation(name, args, setup, **more))


def healthy(name, args, setup, **more):
    """Adds a situation in which the probe succeeds, and doctor finds nothing."""
    SITUATIONS.append(Situation(name, args, setup, healthy=True, **more))
