"""The scenarios: a command, the devices before it, and the natural next command after a kill."""

import os

from devices import (BRIDGE, BRIDGE_DRIFT, CFG, CNI, DRIFT, EVERYTHING, FOUR, LINK, MOVE, NIC, PORT, PORT_DRIFT,
                     SYSCTL_DRIFT, TAP7, THREE, TUN7, TUNED, TUNED_DRIFT, WRONG)


class Scenario:
    def __init__(self, name, args, own, setup="", files=None, prepare=(), whole=False, runner="plain", again=(),
                 final="after", remade=False, exit=0, held=(), env=None, again_exit=(0,), absent="", stdout=None,
                 keeps=False, program=None, stdin=os.devnull, again_env=None):
        self.name = name
        self.args = args if isinstance(args, list) else args.split()
        self.own = own.split()                    # the devices that the command may change
        self.setup = setup                        # a batch of ip(8)
        self.files = files or {}                  # path: text, of mode 0600
        # Arguments of tunadm; +: another program.
        self.prepare = [p.split() if isinstance(p, str) else p for p in prepare]
        self.whole = whole or len(self.own) <= 1  # one device, or --atomic: all as before, or all as asked
        self.runner = runner                      # plain; ready, carrier: SIGTERM once it says so, or is attached
        self.again = [a.split() for a in again]   # after a kill; @: the same command, with more arguments
        self.final = final                        # the state after that: before or after
        self.remade = remade                      # a device may have another index after the undo
        self.exit = exit                          # the status of the undisturbed command; None: any
        self.held = held                          # devices to which a program is attached
        self.env = env or {}
        self.again_exit = again_exit
        self.absent = absent.split()              # devices that the undisturbed command must delete
        self.stdout = stdout                      # a file for the standard output
        self.keeps = keeps                        # after a kill, the devices keep what the attachment changed
        self.program = program                    # another program in the directory of tunadm
        self.stdin = stdin                        # a file for the standard input
        self.again_env = again_env or {}          # of the commands after a kill, beside env
        self.becomes = "--" in self.args          # another program


def _add():
    s = Scenario
    many = "add t1 t2 t3 t4 t5 --mode tun --user daemon --mtu 1400 --up"
    queues = "add mq1 mq2 --mode tap --multi-queue --group daemon --mtu 1400 --up"
    yield s("add-all", "add tap7 --mode tap " + EVERYTHING, "tap7",
            again=["add tap7 --mode tap --if-missing " + EVERYTHING])
    yield s("add-via", ["add", "tun7", "--address", "10.1.0.1/24", "--route",
                        "10.3.0.0/16 via 10.1.0.9 metric 7 table 88", "--up", "--user", "daemon"], "tun7",
            again=["delete tun7 --if-exists", "@"])
    yield s("add-5", many, "t1 t2 t3 t4 t5", again=[many + " --if-missing"])
    yield s("add-mq", queues, "mq1 mq2", again=[queues + " --if-missing"])
    whole = ["add vm0 --mode tap --user daemon --alias x --if-missing"]
    yield s("add-template", "add vm%d --mode tap --user daemon --alias x", "vm0", again=whole)
    yield s("add-if-missing", "add a1 tun7 a3 --mode tun --if-missing --mtu 1300", "a1 tun7 a3", setup=TUN7, exit=1,
            again=["@"])
    yield s("add-full", "add vm%d --mode tap --user daemon --alias x", "vm0", stdout="/dev/full", exit=None,
            again=["list"], final="before")


def _set():
    s, again = Scenario, ["@"]
    yield s("set-all", ["set", "tap7", "--user", "nobody", "--group", "nogroup", "--mac", "02:00:5e:10:00:02",
                        "--mtu", "1500", "--txqueuelen", "333", "--alias", "after",
                        "--address", "10.1.0.1/24", "--address", "fd00:1::1/64",
                        "--route", "10.2.0.0/16", "--route", "fd00:2::/64",
                        "--promisc", "on", "--multicast", "off", "--master", "br0"], "tap7", setup=TAP7, again=again)
    yield s("set-some", ["set", "tap7", "--remove-address", "10.7.0.1/24", "--add-address", "10.8.0.1/24",
                         "--remove-route", "10.17.0.0/16", "--add-route", "10.27.0.0/16", "--mtu", "1300"],
            "tap7", setup=TAP7, again=again)
    yield s("set-last-address", "set tun7 --remove-address 10.7.0.1/24 --alias x", "tun7", setup=TUN7, again=again)
    yield s("set-down", "set tun7 --down --alias x", "tun7", setup=TUN7, again=again)
    yield s("set-small", "set tun7 --mtu 1000 --address 10.7.0.1/24 --route 10.17.0.0/16", "tun7",
            setup=TUN7, again=again)
    yield s("set-first-owner", "set tun7 --user daemon --group daemon --mtu 1400", "tun7", setup=TUN7, again=again)
    moved = TUN7
    for a, b in (("10.7.", "10.6."), ("10.17.", "10.16."), ("fd00:7:", "fd00:6:"), ("fd00:17:", "fd00:16:")):
        moved = moved.replace(a, b)
    yield s("set-two", "set tun7 tap7 --mtu 1390 --alias both", "tun7 tap7", setup=moved + TAP7, again=again)


def _delete():
    s = Scenario
    q1 = "tuntap add dev q1 mode tap multi_queue\nlink set q1 address 02:00:00:00:01:01\n"
    yield s("delete-1", "delete tap7", "tap7", setup=TAP7, again=["delete tap7 --if-exists"])
    yield s("delete-3", "delete t1 t2 t3", "t1 t2 t3", setup=THREE, again=["delete t1 t2 t3 --if-exists"])
    yield s("delete-mq", "delete q1 q2", "q1 q2",
            setup=q1 + "tuntap add dev q2 mode tun multi_queue\nlink set q1 group 8 up",
            again=["delete q1 q2 --if-exists"])
    yield s("delete-force", "delete --force q1 t1", "q1 t1", setup=q1 + "tuntap add dev t1 mode tun",
            held=(("q1", 0x1102), ("t1", 0x1001)), again=["delete --force q1 t1 --if-exists"])


def _apply():
    s, four = Scenario, "tun1 tun2 tap3 tap4"

    def case(name, line, own=four, text=FOUR, again=None, **more):
        return s(name, f"{line} {CFG}", own, files={CFG: text, **more.pop("files", {})},
                 again=[f"{again or line} {CFG}"], **more)

    later = ["+cp /run/cfg/a.toml /run/cfg/new.toml", "+cp /run/cfg/old.toml /run/cfg/a.toml", "apply " + CFG,
             "+cp /run/cfg/new.toml /run/cfg/a.toml"]
    yield case("apply-new", "apply")
    yield case("apply-atomic", "apply --atomic", whole=True)
    yield case("apply-drift", "apply", setup=DRIFT)
    yield case("apply-drift-atomic", "apply --atomic", setup=DRIFT, whole=True)
    old = '[device.tun1]\nmtu = 1300\n[device.tun8]\naddresses = ["10.8.0.1/24"]\n[device.tun9]\nuser = "daemon"\n'
    yield case("apply-prune", "apply --prune", four + " tun8 tun9", files={"/run/cfg/old.toml": old}, prepare=later)
    # One device wants the route of another, which goes.
    old = '[device.tun8]\naddresses = ["10.8.0.1/24"]\nroutes = ["10.88.0.0/16"]\n'
    yield case("apply-prune-yield", "apply --prune --atomic", "tun1 tun8", again="apply --prune",
               text='[device.tun1]\naddresses = ["10.1.0.1/24"]\nroutes = ["10.88.0.0/16"]\n',
               files={"/run/cfg/old.toml": old}, prepare=later, whole=True, remade=True)
    tun = FOUR.replace("[device.tun1]", '[device.tun1]\nmode = "tun"')
    yield case("apply-replace", "apply --replace", text=tun, setup=WRONG, remade=True)
    yield case("apply-replace-atomic", "apply --replace --atomic", text=tun, setup=WRONG, whole=True, remade=True)
    yield s("apply-fifo", "apply /run/cfg/fifo", "tun1", prepare=["+mkfifo /run/cfg/fifo"], exit=1, again=["@"])
    yield case("teardown", "teardown", prepare=["apply " + CFG])
    yield case("teardown-force", "teardown --force", setup="tuntap add dev tun2 mode tun user daemon",
               prepare=["apply " + CFG], held=(("tun1", 0x1001),))
    yield case("apply-bridge", "apply --atomic", "br7 tap7 tap8", text=BRIDGE, whole=True)
    yield case("apply-bridge-drift", "apply --atomic", "br7 tap7 tap8", text=BRIDGE, setup=BRIDGE_DRIFT, whole=True)
    yield case("apply-bridge-move", "apply --atomic", "br7 nic7 tap7", text=MOVE, setup=NIC, whole=True)
    yield case("apply-bridge-fails", "apply --atomic", "br7 nic7 tap7", again="teardown", setup=NIC, whole=True, exit=1,
               final="before",
               text=MOVE + 'routes = ["10.17.0.0/16 via 10.27.0.9"]\naddresses = ["10.27.0.1/24"]\n')
    yield case("teardown-bridge", "teardown", "br7 tap7 tap8", text=BRIDGE, prepare=["apply " + CFG],
               absent="br7 tap7 tap8")
    yield case("teardown-bridge-move", "teardown", "br7 nic7 tap7", text=MOVE, setup=NIC, prepare=["apply " + CFG],
               absent="br7 tap7")
    yield case("apply-port", "apply --atomic", "br7 nic7 tap7", text=PORT, setup=LINK, whole=True)
    yield case("apply-port-drift", "apply --atomic", "br7 nic7 tap7", text=PORT, setup=PORT_DRIFT, whole=True)
    yield case("teardown-port", "teardown", "br7 nic7 tap7", text=PORT, setup=LINK, prepare=["apply " + CFG],
               absent="br7 tap7")
    yield case("apply-sysctl", "apply --atomic", "tun7 tap8", text=TUNED, whole=True)
    yield case("apply-sysctl-drift", "apply --atomic", "tun7 tap8", text=TUNED, setup=TUNED_DRIFT,
               prepare=[SYSCTL_DRIFT], whole=True)
    new = '[device.tun1]\naddresses = ["10.1.0.1/24"]\nroutes = ["10.17.0.0/16"]\n'
    yield case("apply-bridge-prune", "apply --prune --atomic", "br7 tap7 tap8 tun1", again="apply --prune", text=new,
               files={"/run/cfg/old.toml": BRIDGE}, prepare=later, whole=True, remade=True)
    yield case("apply-bridge-prune-move", "apply --prune --atomic", "br7 nic7 tap7 tun1", again="apply --prune",
               text=new.replace(".17.", ".19."), files={"/run/cfg/old.toml": MOVE}, setup=NIC, prepare=later,
               whole=True, remade=True)
    damage = "sed -i -E '0,/\"index\": *[0-9]+/s//\"index\": -1/' /run/tunadm/*.json"
    yield case("teardown-index", "teardown", prepare=["apply " + CFG, ["+sh", "-c", damage]], exit=None,
               absent="tun2 tap3 tap4", again_exit=(0, 1, 4, 6))


def _packets():
    s = Scenario
    loop = "loop --a 10.91.0.1 --b 10.91.0.2 --a fd00:91::1 --b fd00:91::2 --netns /proc/self/ns/net"
    back = dict(whole=True, again=["loop --clean"], final="before")
    tun6 = "tuntap add dev tun6 mode tun pi\nlink set dev tun6 addrgenmode none\n"
    yield s("loop", loop, "tun0 tun1", runner="ready", **back)
    yield s("loop-verbose", loop + " -v --mtu 1400", "tun0 tun1", runner="ready", **back)
    yield s("loop-devices", loop + " --a-device tun7 --b-device tun6", "tun7 tun6", runner="ready",
            setup=TUN7 + tun6 + "link set tun6 mtu 1333", **back)
    yield s("loop-command", loop + " -- /bin/true", "tun0 tun1", **back)
    # What an attachment changes is as before afterwards: packet information, and the addresses that a carrier brings.
    tun8 = "tuntap add dev tun8 mode tun pi\nlink set tun8 up\naddr add 10.8.0.1/24 dev tun8\n"
    stay = dict(whole=True, again=["@"], final="before", keeps=True)
    end = dict(setup=tun8, runner="carrier", **stay)
    written = dict(end, again=["@ --force"])  # a file that a killed command wrote is not overwritten otherwise
    fails = dict(exit=1, **stay)
    yield s("dump", "dump tun8", "tun8", **end)
    yield s("dump-write", "dump tun8 --write /run/cfg/out", "tun8", **written)
    yield s("dump-none", "dump tun8 --write /nonexistent/x", "tun8", setup=tun8, **fails)
    yield s("echo", "echo tun8", "tun8", **end)
    yield s("echo-port", "echo tap7", "tap7", setup=TAP7 + "link set tap7 master br0", **fails)
    yield s("tunnel", "tunnel tun8 --plain --udp --listen 127.0.0.1:5000", "tun8", **end)
    yield s("tunnel-foreign", "tunnel tun8 --plain --listen 192.0.2.99:5000", "tun8", setup=tun8, **fails)
    tun6 = "tuntap add dev tun6 mode tun pi\n"
    again = dict(whole=True, again=["@"])
    yield s("exec", "exec tap7 tun6 -- /bin/true", "tap7 tun6",
            setup=TAP7 + "tuntap add dev tun6 mode tun", **again)
    yield s("exec-vnet", "exec tun6 tap7 --vnet-hdr -- /bin/true", "tap7 tun6", setup=TAP7 + tun6, **again)
    yield s("exec-user", "exec tap7 --user nobody -- /bin/true", "tap7", setup=TAP7, **again)
    yield s("exec-none", "exec tun6 tap7 --vnet-hdr -- /nonexistent", "tap7 tun6",
            setup=TAP7 + tun6 + "link set tun6 up", **fails)


def _stand_ins():
    s, again = Scenario, ["@"]
    yield s("as-tunctl", "as tunctl -t tap9 -u daemon", "tap9", again=again)
    yield s("as-tunctl-delete", "as tunctl -d tap7", "tap7", setup=TAP7, again=again)
    yield s("as-openvpn", "as openvpn --mktun --dev tun9 --user daemon --txqueuelen 300", "tun9", again=again)
    yield s("as-openvpn-delete", "as openvpn --rmtun --dev tun7", "tun7", setup=TUN7, again=again)
    yield s("as-ip", "as ip tuntap add dev tun9 mode tun user daemon group daemon multi_queue", "tun9",
            again=["add tun9 --mode tun --user daemon --group daemon --multi-queue --if-missing"])
    yield s("as-ip-delete", "as ip tuntap del dev tun7 mode tun", "tun7", setup=TUN7, again=again)


def _plugin():
    """The CNI plugin, whose next command after a kill of ADD is DEL, as of a container runtime."""
    env = {"CNI_CONTAINERID": "c", "CNI_NETNS": "/proc/self/ns/net", "CNI_NETNS_OVERRIDE": "1", "CNI_IFNAME": "tap7",
           "CNI_PATH": "/run/cfg"}
    both = dict(program="tunadm-cni", stdin="/run/cfg/net", files=CNI, again=["@"], final="before",
                again_env={"CNI_COMMAND": "DEL"},
                prepare=["+cp /run/cfg/ipam.sh /run/cfg/ipam", "+chmod 755 /run/cfg/ipam"])
    yield Scenario("cni-add", "ADD", "tap7", env={**env, "CNI_COMMAND": "ADD"}, **both)
    queues = CNI["/run/cfg/net"].replace("{", '{"multiQueue":true,', 1)
    yield Scenario("cni-add-mq", "ADD", "tap7", env={**env, "CNI_COMMAND": "ADD", "CNI_ARGS": "MAC=02:00:00:00:00:07"},
                   **{**both, "files": {**CNI, "/run/cfg/net": queues}})


TABLES = (_add, _set, _delete, _apply, _packets, _stand_ins, _plugin)
SCENARIOS = {s.name: s for table in TABLES for s in table()}
