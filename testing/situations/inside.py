"""Runs one situation inside of its namespaces, and prints the result as JSON: inside.py MODE NUMBER."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time

from rows import SITUATIONS

HERE = os.path.dirname(os.path.abspath(__file__))
PRELUDE = open(os.path.join(HERE, "prelude.bash")).read()


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def shell(script, seconds=40):
    """Runs a script with the prelude. Its output goes to a file: background programs would keep a pipe open."""
    with tempfile.TemporaryFile() as out:
        try:
            code = subprocess.run(["bash", "-c", PRELUDE + script], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                  timeout=seconds).returncode
        except subprocess.TimeoutExpired:
            code = 124
        out.seek(0)
        return code, out.read().decode(errors="replace")


def until(probe, seconds):
    """Repeats a probe until it succeeds."""
    end = time.time() + seconds
    while True:
        if shell(probe)[0] == 0:
            return True
        if time.time() > end:
            return False
        time.sleep(0.2)


def isolate():
    """Gives the situation its own /run, /sys, /etc and /dev/net/tun."""
    run("mount", "-t", "tmpfs", "run", "/run")
    run("mount", "-t", "sysfs", "sys", "/sys")
    os.mkdir("/run/etc")
    run("cp", "-a", "/etc/.", "/run/etc/")
    groups = open("/run/etc/group").read()
    open("/run/etc/group", "w").write(re.sub(r"(?m)^(users:x:100:)nobody$", r"\1", groups))
    run("rm", "-rf", "/run/etc/tunadm.toml", "/run/etc/tunadm.d")
    run("mount", "--bind", "/run/etc", "/etc")
    run("mknod", "-m", "666", "/run/tun", "c", "10", "200")
    run("mount", "--bind", "/run/tun", "/dev/net/tun")
    run("ip", "link", "set", "lo", "up")


def possible(script):
    """Tries in another network namespace what the situation requires."""
    return subprocess.run(["unshare", "--net", "sh", "-c", script], stderr=subprocess.DEVNULL).returncode == 0


def doctor(s):
    """Runs doctor, and returns its exit status, its findings and its errors."""
    command = s.command or "$T doctor --json " + s.args
    with tempfile.TemporaryFile() as errors:
        start = time.time()
        p = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                           text=True, timeout=60)
        took = (time.time() - start) * 1000
        errors.seek(0)
        try:
            found = json.loads(p.stdout)
        except ValueError:
            found = None
        return dict(code=p.returncode, found=found, errors=errors.read().decode(errors="replace")[-400:], ms=took)


def prepare(s):
    """Builds the situation. Returns why it is not what it claims, or an empty string."""
    code, out = shell(s.setup)
    if code:
        return "set-up fails (%d): %s" % (code, out[-300:])
    if s.healthy:
        return "" if not s.probe or until(s.probe, 4) else "the healthy set-up does not work"
    return "the broken set-up works" if s.probe and shell(s.probe)[0] == 0 else ""


def verify(s):
    """Checks the set-up and its known repair, without doctor."""
    if s.healthy or not s.repair:
        return {}
    code, out = shell(s.repair)
    if s.probe and not until(s.probe, 5):
        return dict(invalid="the known repair fails: status %d %s" % (code, out[-200:]))
    return {}


def examine(s):
    """Asks doctor, and pastes its first fix."""
    result = doctor(s)
    if s.healthy or result["found"] is None:
        return result
    shown = [f for f in result["found"] if s.passed or f["level"] in ("error", "warning")]
    at = next((i for i, f in enumerate(shown) if re.search(s.want, f["what"] + ": " + f["means"], re.I)), None)
    result["at"] = at
    if at is None:
        return result
    result["level"], result["fix"] = shown[at]["level"], shown[at].get("fix") or []
    if s.fix and result["fix"]:
        command = re.sub(r"\btunadm ", os.environ["T"] + " ", result["fix"][0])
        code, out = shell(command)
        result["fixed"] = code == 0 and (not s.probe or until(s.probe, 5))
        result["fix_output"] = "status %d %s" % (code, out[-200:])
    return result


def trace(s):
    """Sends the packets of the situation while trace runs, and returns the lines of trace."""
    device = s.device or s.args.split()[0]
    with open("/run/trace", "w") as out, open("/run/trace.errors", "w") as errors:
        p = subprocess.Popen([os.environ["T"], "trace", "--json", "--for", "6", device], stdin=subprocess.DEVNULL,
                             stdout=out, stderr=errors)
        found = False
        while not found and p.poll() is None:
            shell(s.traffic or s.probe, 10)
            found = re.search(s.reason, open("/run/trace").read())
        p.terminate()
        try:
            p.wait(20)
        except subprocess.TimeoutExpired:
            p.kill()
            return dict(invalid="trace does not end")
    return dict(traced=bool(found), lines=open("/run/trace").read()[-1500:], errors=open("/run/trace.errors").read())


def main():
    s = SITUATIONS[int(sys.argv[2])]
    isolate()
    if s.requires and not possible(s.requires):
        print(json.dumps(dict(skipped=True)))
        return
    invalid = prepare(s)
    if invalid:
        print(json.dumps(dict(invalid=invalid)))
        return
    print(json.dumps({"verify": verify, "examine": examine, "trace": trace}[sys.argv[1]](s)))


if __name__ == "__main__":
    main()
