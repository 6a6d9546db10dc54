"""What an undisturbed run of a scenario does, and the violations of a disturbed one: [(kind, lines)]."""

import collections
import json
import re

from calls import is_begin
from case import CRASH, Case
from namespace import apart
from snapshot import compare, differences, live, remembered, without_traces

HONEST = ("could not be put back", "could not be restored", "not all of it could be removed", "could not be removed")
SECRET = re.compile("tun[0-9a-f]{12}$")  # the name of a device before it gets its own

# What others change by an interference. Taking a device down takes its routes and IPv6 addresses, which the kernel then
# refuses; an MTU of 1280 brings back IPv6; a carrier brings an IPv6 address.
EFFECTS = {"down": ("flags", "routes"), "rename": ("flags", "routes"), "swap": ("flags", "routes"),
           "mtu": ("mtu", "sys_disable_ipv6"),
           "attach": ("linkinfo", "sys_tun_flags", "routes")}


def unordered(x):
    return sorted(x) if isinstance(x, list) else x


class Baseline:
    """The undisturbed scenario: three runs tell what is never twice the same, such as a random MAC address."""

    def __init__(self, binary, s):
        self.s, self.own = s, set(s.own)
        runs = [apart(Case(binary, s).traced)]
        if runs[0]["code"] is not None:
            runs += [apart(Case(binary, s).traced) for _ in range(2)]
        self.first = runs[0]
        self.before, self.after = self.first["before"], self.first["now"]
        self.mask = set()
        for b in runs[1:]:
            for n in set(self.after) | set(b["now"]):
                x, y = self.after.get(n) or {}, b["now"].get(n) or {}
                self.mask |= {(n, k) for k in set(x) | set(y) if unordered(x.get(k)) != unordered(y.get(k))}
        self.counts, self.skipped = collections.Counter(), collections.Counter()
        for r in runs:
            self._count(r["calls"])

    def _count(self, calls):
        counts, skipped, begun = collections.Counter(), collections.Counter(), False
        for name, text, _ in calls:
            begun = begun or is_begin(name, text)
            (counts if begun else skipped)[name] += 1
        self.counts, self.skipped = self.counts | counts, self.skipped | skipped

    def judge_undisturbed(self):
        """Returns the violations of the undisturbed run."""
        r, s = self.first, self.s
        if r["code"] is None:
            return [("hang", [r["err"]])]
        found = []
        if s.exit is not None and (r["code"] != 0) != (s.exit != 0):
            found.append(("unexpected exit status", [f"exit {r['code']}: {r['err'].strip()}"]))
        if s.whole and (r["code"] != 0 or s.runner != "plain") and not s.absent:
            if lines := compare(self.before, self.after, index=not s.remade, order=True):
                found.append(("ends, and leaves changes", lines))
        if lines := [f"{n}: still there" for n in s.absent if n in self.after]:
            found.append(("not as asked", lines))
        return found

    def judge(self, r):
        """Returns the violations of a run that ended by itself."""
        before, after, seen, s = r["before"], self.after, r["now"], self.s
        if r["code"] is None:
            return [("hang", [r["err"]])]
        found = []
        if CRASH.search(r["err"]):
            found.append(("crash", [line for line in r["err"].splitlines() if line][:6]))
        if "final" in r:
            return found + self.judge_kill(r)
        names = self.own | set(before) | set(seen) | set(after)
        to_before = {n: differences(before.get(n), seen.get(n), index=not s.remade, who=n, order=True) for n in names}
        to_after = {n: differences(after.get(n), seen.get(n), self.mask, index=False, who=n) for n in names}
        if r["code"] == 0:
            bad = [line for n in sorted(names) for line in to_after[n]]
            if bad and s.exit == 0:
                found.append(("success, but not as asked", bad))
            return found
        honest = "honest: " * any(words in r["err"] for words in HONEST)
        foreign = [line for n in sorted(names - self.own) for line in to_before[n] if to_after[n] or s.whole]
        if foreign and not all(not to_after[n] for n in self.own):
            found.append((honest + "foreign object changed", foreign))
        half = [line for n in sorted(self.own) for line in to_before[n] if to_before[n] and to_after[n]]
        if half:
            found.append((honest + "half made", half))
        changed = [line for n in sorted(self.own) for line in to_before[n] if not to_after[n]]
        same = not any(differences(before.get(n), after.get(n), self.mask, index=False, who=n) for n in names)
        done = s.whole or not any(to_after.values())
        if not half and changed and not same and done and s.exit == 0:
            found.append((honest + "failed, but all is done", changed))
        return found

    def judge_memory(self, r):
        """Returns the violations in the records of such a run."""
        if "final" in r:
            return []
        found, now, was = [], live(r["now"]), live(r["before"])
        known = remembered(r["memory"])
        if leftover := [f for f in r["memory"] if f.endswith(".new")]:
            found.append(("leftover file", leftover))
        if r["code"] != 0 and self.s.args[0] in ("apply", "teardown"):
            # A device that was there before, and had to be re-created, stays somebody else's.
            made = {(n, i) for n, i in now - was if n in self.own and n not in r["before"]}
            lost = made - known
            if lost and "put back" not in r["err"]:
                found.append(("made and not remembered", sorted(map(str, lost))))
        if stale := known - now - {d for d in known if d[1] == -1}:
            found.append(("stale memory", sorted(map(str, stale))))
        record = [f for f in r["memory"] if f.startswith("loop-") and f.endswith(".json")]
        ended = r["code"] is not None and "could be removed" not in r["err"]
        if self.s.args[0] == "loop" and ended and record:
            found.append(("loop record stays", sorted(r["memory"])))
        return found

    def judge_kill(self, r):
        """Returns the violations after a kill and the next commands."""
        found, s = [], self.s
        foreign = [line for n in sorted(set(r["before"]) - self.own - {"", "br0"})
                   for line in differences(r["before"].get(n), r["now"].get(n), who=n)]
        if foreign:
            found.append(("foreign object changed", foreign))
        for words, code, _, err in r["again"]:
            if code not in s.again_exit and (words[0] != "@" or code != self.first["code"]):
                found.append((f"the next command fails (exit {code})", [" ".join(words) + ": " + err.strip()]))
        expected, mask, wanted = self.after, self.mask, len(self.first["memory"])
        if s.final == "before":
            expected, mask, wanted = r["before"], frozenset(), len(r["known"])
        final = r["final"]
        if s.keeps:
            expected, final = ({n: without_traces(d) if n in self.own else d for n, d in state.items()}
                               for state in (expected, final))
        if left := compare(expected, final, mask, index=s.final == "before" and not s.remade):
            found.append(("not as it should be after the next command", left))
        extra = [f for f in r["final_memory"] if f.endswith(".new")]
        if extra or len(r["final_memory"]) > wanted:
            found.append(("leftover file", sorted(r["final_memory"])))
        if stale := {d for d in remembered(r["final_memory"]) if d[1] != -1} - live(r["final"]):
            found.append(("stale memory", sorted(map(str, stale))))
        return found

    def taken(self, r, then, device):
        """Returns what is missing from other devices because others took it from a bridge: its addresses and routes
        cannot move back to a port."""
        before = next(v for k, v in r["done"] if k == "before").get(device, {})
        left = then.get("away0") or then.get(device, {})
        return {f"{n}: - {k} " + x.replace(device, n) for k in ("addresses", "routes") for x in before.get(k, [])
                for n in self.own if x not in [y.replace("away0", device) for y in left.get(k, [])]}

    def judge_meddle(self, r, action, device):
        """Returns the violations beside others: only they may have changed foreign objects and what they made."""
        found, s, now = [], self.s, r["now"]
        if r["code"] is None:
            return [("hang", [r["err"]])]
        if CRASH.search(r["err"]):
            found.append(("crash", r["err"].splitlines()[:6]))
        then = next((v for k, v in r["done"] if k == "then"), None)
        if then is None:
            return found
        theirs = {n for n, d in then.items() if n and n not in self.own and n not in ("br0", "away0")
                  and not SECRET.match(n) or d.get("address") == "02:66:66:66:66:66"}
        for n in sorted(theirs):
            if lines := differences(then.get(n), now.get(n), who=n):
                found.append(("foreign device changed", lines))
        if s.args[0] != "loop" and (lines := differences(then.get(""), now.get(""), who="")):
            found.append(("foreign routes or rules changed", lines))
        names, effects = self.own - theirs, EFFECTS.get(action, ())
        if device in now and device not in theirs and "away0" in now:  # the program made another one of this name
            effects = ()
            if lines := differences(then.get("away0"), now["away0"], who="away0"):
                found.append(("foreign device changed", lines))
        elif "away0" in now:  # renamed by others, who may have given the name to a device of their own
            names |= {device}
            now = {**now, device: json.loads(re.sub(r"away0(:\d+)?", device, json.dumps(now["away0"])))}
            for n in self.own & set(now):  # its ports are still its ports
                now[n] = {**now[n], "master": device if now[n].get("master") == "away0" else now[n].get("master")}
        mask = {(device, k) for k in effects}

        def against(state, n, more, index):
            lines = differences(state.get(n), now.get(n), mask | more, index, n)
            return [line for line in lines if not effects or n != device or '"inet6"' not in line]
        to_after = {n: against(self.after, n, self.mask | {(n, "sys_addr_assign_type")}, False) for n in names}
        if r["code"] == 0:
            lost = self.taken(r, then, device)
            lines = [line for n in sorted(to_after) for line in to_after[n] if line not in lost]
            if s.exit == 0 and lines:
                found.append(("success, but not as asked", lines))
            return found
        for n in sorted(to_after):
            b, t = against(r["before"], n, set(), not s.remade), against(then, n, set(), True)
            new = n in theirs and n not in r["before"]  # judged below
            if to_after[n] and b and t and n in now and not new:
                found.append(("half made", [f"against before: {x}" for x in b] + [f"against then: {x}" for x in t]))
        if "away0" in now and r["before"].get(device) is None and to_after[device]:
            shown = {k: now["away0"][k] for k in ("flags", "mtu", "addresses", "index")}
            found.append(("made, renamed by another, and left half made", [json.dumps(shown)]))
        return found
