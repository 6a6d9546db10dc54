"""The packet verbs side by side under load, with peers that vanish: memory, threads and descriptors stay flat."""

import collections
import multiprocessing
import signal
import subprocess
import sys
import tempfile
import time

from case import await_namespace
from command import text, usage
from crowd import foreigner
from namespace import apart, ip, read
from snapshot import memory

STREAM = """
import socket, sys, time, os
os.nice(5)
kind, a, b, port, rate = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
if kind == "sink":
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    while True:
        try:
            s.bind((b, port)); break
        except OSError:
            time.sleep(0.1)
    s.listen()
    while True:
        c, _ = s.accept(); c.settimeout(20)
        try:
            while c.recv(1 << 16):
                pass
        except OSError:
            pass
        c.close()
block = b"x" * (1200 if kind == "udp" else 1 << 16)
while True:
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM); s.settimeout(10)
    try:
        s.bind((a, 0)); s.connect((b, port))
        while True:
            s.send(block); time.sleep(len(block) / rate)
    except OSError:
        time.sleep(0.2)
    s.close()
"""

GROWTH = 4096  # kB of resident memory that a verb may grow by between the first and the last eighth


class Soak:
    def __init__(self, binary):
        self.binary, self.running, self.err, self.peers = binary, [], {}, {}
        self.b, self.alone = (self.start(["unshare", "-n", "sleep", "100000"]) for _ in range(2))
        await_namespace(self.b.pid)
        await_namespace(self.alone.pid)

    def start(self, words, pid=None):
        err = tempfile.TemporaryFile()
        prefix = ["nsenter", "-t", str(pid), "-n"] if pid else []
        p = subprocess.Popen([*prefix, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
        self.running.append(p)
        self.err[p.pid] = err
        return p

    def within(self, pid, *words):
        prefix = ["nsenter", "-t", str(pid), "-n"] if pid else []
        subprocess.run([*prefix, *words], check=True, stdout=subprocess.DEVNULL)

    def stream(self, kind, a, b, port, rate, pid=None):
        self.start([sys.executable, "-c", STREAM, kind, a, b, str(port), str(rate)], pid)

    def add(self, name, mode, address, pid=None):
        self.within(pid, self.binary, "add", name, "--mode", mode, "--address", address, "--up")

    def prepare(self):
        b = self.b.pid
        ip(f"link set lo up\nlink add va type veth peer name vb netns {b}\n"
           "addr add 192.0.2.1/24 dev va\nlink set va up")
        for words in ("link set lo up", "addr add 192.0.2.2/24 dev vb", "link set vb up"):
            self.within(b, "ip", *words.split())
        self.within(self.alone.pid, "ip", "link", "set", "lo", "up")
        for name, address in (("tt0", "10.70.0"), ("tu0", "10.71.0")):
            self.add(name, "tun", address + ".1/24")
            self.add(name, "tun", address + ".2/24", b)
        self.add("te0", "tap", "10.60.0.1/24")
        self.add("td0", "tun", "10.61.0.1/24")
        t, listen = self.binary, ["--plain", "--listen"]
        self.watched = {
            "loop": self.start([t, "loop", "--a", "10.91.0.1", "--b", "10.91.0.2"], self.alone.pid),
            "tunnel tcp": self.start([t, "tunnel", "tt0", *listen, "192.0.2.1:5001"]),
            "tunnel udp": self.start([t, "tunnel", "tu0", "--udp", *listen, "192.0.2.1:5002"]),
            "echo": self.start([t, "echo", "te0"]),
            "dump": self.start([t, "dump", "td0"]),
            "watch": self.start([t, "watch", "--json"]),
        }
        self.call("tt0")
        self.call("tu0")

    def call(self, name):
        """Starts the other end of a tunnel."""
        port, extra = {"tt0": (5001, []), "tu0": (5002, ["--udp"])}[name]
        words = [self.binary, "tunnel", name, "--plain", *extra, "--connect", f"192.0.2.1:{port}"]
        self.peers[name] = self.start(words, self.b.pid)

    def load(self):
        loop = self.alone.pid
        self.stream("sink", "10.91.0.1", "10.91.0.2", 7000, 2e7, loop)
        self.stream("tcp", "10.91.0.1", "10.91.0.2", 7000, 2e7, loop)
        for net, port in (("10.70.0", 7001), ("10.71.0", 7002)):
            self.stream("sink", net + ".1", net + ".2", port, 0, self.b.pid)
            self.stream("tcp", net + ".1", net + ".2", port, 4e6)
            self.stream("udp", net + ".1", net + ".2", port + 10, 1e6)
        self.stream("udp", "10.61.0.1", "10.61.0.2", 7003, 2e6)
        self.start(["ping", "-q", "-i", "0.003", "10.60.0.2"])

    def sample(self, seconds):
        samples, begun, n = collections.defaultdict(list), time.monotonic(), 0
        while time.monotonic() < begun + seconds:
            time.sleep(min(5, seconds / 16))
            n += 1
            for name, p in self.watched.items():
                samples[name].append(usage(p.pid) if p.poll() is None else None)
            which = "tt0" if n % 8 == 0 else "tu0"
            if n % 4 == 0 and n % 24 != 16:
                self.peers[which].kill()
                self.peers[which].wait()
                self.call(which)
            if n % 24 in (16, 18):
                ip(f"link set va {'down' if n % 24 == 16 else 'up'}")
        return samples

    def end(self):
        """Ends the verbs with SIGTERM: {name: [violations]}."""
        wrong = collections.defaultdict(list)
        for p in self.watched.values():
            p.send_signal(signal.SIGTERM)
        for name, p in self.watched.items():
            try:
                code = p.wait(10)
            except subprocess.TimeoutExpired:
                code = "none: it hangs"
                p.kill()
            said = text(self.err[p.pid])
            if code != 0 or "panic" in said:
                wrong[name].append(f"SIGTERM: exit status {code}; said {said[-400:]!r}")
        show = ["nsenter", "-t", str(self.alone.pid), "-n", "ip", "-br", "link"]
        out = subprocess.run(show, capture_output=True, text=True)
        left = [line.split()[0] for line in out.stdout.splitlines() if line.split()[0] != "lo"]
        if left or memory():
            wrong["loop"].append(f"left {left}, memory {memory()}")
        for p in self.running:
            if p.poll() is None:
                p.kill()
        return wrong


def growth(samples):
    """Returns the line that shows the use of a verb, and its violations."""
    alive = [x for x in samples if x]
    if len(alive) < len(samples) or not alive:
        return f"{len(alive)} of {len(samples)} samples", ["ended by itself"]
    eighth = max(1, len(alive) // 8)
    early, late = (tuple(sorted(x[i] for x in part)[len(part) // 2] for i in range(3))
                   for part in (alive[eighth:2 * eighth] or alive, alive[-eighth:]))
    shown = f"RSS {early[0]} -> {late[0]} kB, threads {early[1]} -> {late[1]}, descriptors {early[2]} -> {late[2]}"
    grown = late[0] > early[0] + GROWTH or late[1] > early[1] + 4 or late[2] > early[2] + 2
    return shown, ["grows: " + shown] if grown else []


def _soak(binary, seconds):
    s = Soak(binary)
    s.prepare()
    s.load()
    churn = multiprocessing.Process(target=foreigner, args=(seconds, 7, multiprocessing.Queue()))
    churn.start()
    samples = s.sample(seconds)
    churn.terminate()
    counters = {d: [read(f"/sys/class/net/{d}/statistics/{c}") for c in ("tx_packets", "rx_packets", "tx_dropped")]
                for d in ("tt0", "tu0", "te0", "td0")}
    wrong = s.end()
    shown = {}
    for name, values in samples.items():
        shown[name], grown = growth(values)
        wrong[name] += grown
    idle = [d for d, c in counters.items() if int(c[0]) < 10 * seconds]
    if idle:
        wrong["load"].append(f"hardly any packets on {idle}: {counters}")
    return shown, dict(wrong), counters


def soak(options, report):
    started = time.monotonic()
    shown, wrong, counters = apart(_soak, options.binary, options.seconds)
    for name in list(shown) + [n for n in wrong if n not in shown]:
        print(f"soak {name}: {shown.get(name, '')}")
        report.case("soak", name, "", [("wrong", wrong[name])] if wrong.get(name) else [],
                    repeat=f"soak --seconds {options.seconds}")
    print(f"soak: tx, rx, dropped: {counters}")
    report.group("soak", started, len(shown))
