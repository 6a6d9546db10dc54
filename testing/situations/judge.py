"""Judges the result of a situation."""

import re

FIGURES = {"first": "cause found first", "three": "second or third", "later": "later", "never": "never",
           "fixed": "pasted fixes work", "unfixed": "fail", "silent": "healthy silent", "alarms": "false alarms",
           "missed": "known misses", "skipped": "skipped", "invalid": "invalid"}


def texts(found, levels):
    return ["%(level)s %(check)s: %(what)s: %(means)s" % f for f in found or [] if f["level"] in levels]


def judge(s, r, mode):
    """Returns the checks of one situation: for each whether it holds, and a message."""
    checks = unmarked(s, r, mode)
    if mode != "examine" or not s.missed or r.get("invalid") or r.get("skipped"):
        return checks
    return [(not all(holds for holds, _ in checks), "it holds: remove its mark: " + s.missed)]


def unmarked(s, r, mode):
    """Returns the checks of a situation as if it were not marked as missed."""
    if r.get("invalid"):
        return [(False, "INVALID: " + r["invalid"])]
    if r.get("skipped"):
        return []
    if mode == "verify":
        return [(True, "")]
    if mode == "trace":
        return [(r["traced"], "trace does not print %s: %s %s" % (s.reason, r["lines"], r["errors"]))]
    if s.healthy:
        alarms = texts(r["found"], ("error", "warning"))
        return [(r["found"] is not None and r["code"] == 0 and not alarms,
                 "false alarm: exit %d %s" % (r["code"], alarms or r["errors"]))]
    if r["found"] is None:
        return [(False, "no JSON: exit %d %s" % (r["code"], r["errors"]))]
    at = r["at"]
    where = "" if at is None else " in the first three (at %d)" % (at + 1)
    checks = [(at is not None and at < 3, "not found%s; printed %s" % (
        where, texts(r["found"], ("error", "warning", "unknown")) or "nothing, exit %d" % r["code"]))]
    if at is None:
        return checks
    if s.level:
        checks.append((r["level"] == s.level, "level %s, want %s" % (r["level"], s.level)))
    if s.fix:
        checks.append((r.get("fixed") is True,
                       "the fix fails: %s: %s" % ((r["fix"] or ["none"])[0], r.get("fix_output", ""))))
    if s.badfix:
        checks.append((not any(re.search(s.badfix, f) for f in r["fix"]), "a fix that cannot work: %s" % r["fix"]))
    if s.needfix:
        checks.append((any(re.search(s.needfix, f) for f in r["fix"]),
                       "no fix like %s: %s" % (s.needfix, r["fix"])))
    return checks


def count(figures, s, r):
    """Adds one result to the figures."""
    if r.get("invalid"):
        figures["invalid"] += 1
    elif r.get("skipped"):
        figures["skipped"] += 1
    elif s.missed:
        figures["missed"] += 1
    elif s.healthy and "code" in r:
        figures["silent" if judge(s, r, "examine")[0][0] else "alarms"] += 1
    elif not s.healthy and "code" in r:
        at = r.get("at")
        figures["never" if at is None else "first" if at == 0 else "three" if at < 3 else "later"] += 1
        if s.fix and at is not None:
            figures["fixed" if r.get("fixed") else "unfixed"] += 1
