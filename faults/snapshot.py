"""What a namespace and tunadm's memory hold, and how two such states differ."""

import json
import os
import subprocess
import time

from namespace import ip, read

FLAGS = {"UP", "PROMISC", "MULTICAST", "NOARP", "POINTOPOINT", "BROADCAST", "ALLMULTI", "DEBUG"}
TRANSIENT = {"operstate", "qdisc", "stats", "stats64", "ifindex", "flags", "addr_info", "ifname", "linkmode", "master",
             "link_index", "link", "tso_max_size", "tso_max_segs", "gso_max_size", "gso_max_segs", "gro_max_size"}
TENTATIVE = 0x40
FOREVER = 4294967295
# The sysctls of devices that scenarios set, and one that they do not.
SYSCTLS = ("ipv4/conf/%s/rp_filter", "ipv4/conf/%s/arp_announce", "ipv4/conf/%s/proxy_arp",
           "ipv4/neigh/%s/gc_stale_time", "ipv6/conf/%s/hop_limit")
TRACES = 0x5000  # IFF_NO_PI, IFF_VNET_HDR


def clean(x):
    """Returns x without what changes by itself: timers, and the states that follow the carrier."""
    if isinstance(x, dict):
        drop = ("state", "port_state", "designated_cost")
        return {k: clean(v) for k, v in sorted(x.items()) if "timer" not in k and k not in drop}
    return x


def address_text(a):
    if a["local"].startswith("fe80") and a.get("protocol", "kernel_ll") == "kernel_ll" and a.get("scope") == "link":
        a = dict(a, local="fe80::X")
    drop = {"tentative", "dadfailed", "mngtmpaddr"}
    a = {k: v for k, v in a.items() if k not in drop and not (k.endswith("_life_time") and v == FOREVER)}
    if "valid_life_time" in a:
        a["valid_life_time"], a["preferred_life_time"] = "some", "some"
    return json.dumps(a, sort_keys=True)


def route_text(r):
    r = {k: v for k, v in r.items() if k not in ("flags", "expires", "cache")}
    for k in ("dst", "prefsrc"):
        if str(r.get(k, "")).startswith("fe80::") and r.get("dst") != "fe80::/64":
            r[k] = "fe80::X"
    return json.dumps(r, sort_keys=True)


def settle(most=0.04):
    """Waits for the kernel's work on new IPv6 addresses. Those of a tap without a carrier stay tentative."""
    def tentative():
        lines = (line.split() for line in read("/proc/net/if_inet6").splitlines())
        return any(int(words[4], 16) & TENTATIVE for words in lines if len(words) > 4)
    end = time.monotonic() + most
    while time.monotonic() < end and tentative():
        time.sleep(0.002)
    time.sleep(0.002)


def _device(link):
    d = {k: clean(v) for k, v in link.items() if k not in TRANSIENT}
    d["index"], d["master"] = link["ifindex"], link.get("master")
    d["flags"] = sorted(FLAGS & set(link["flags"])) or ["-"]
    d["addresses"] = [address_text(a) for a in link.get("addr_info", [])]  # in the kernel's order
    d["routes"], d["neigh"] = [], []
    d["sys_disable_ipv6"] = read(f"/proc/sys/net/ipv6/conf/{link['ifname']}/disable_ipv6")
    for path in SYSCTLS:
        d[path % "DEV"] = read("/proc/sys/net/" + path % link["ifname"])
    for f in ("owner", "group", "tun_flags", "netdev_group", "addr_assign_type"):
        if f not in ("owner", "group") or link.get("linkinfo", {}).get("info_kind") == "tun":
            d["sys_" + f] = read(f"/sys/class/net/{link['ifname']}/{f}")
    return d


def snapshot():
    """Returns {device: {property: value}}; under "" the routes, rules and neighbours of no device."""
    settle()
    out = subprocess.run(["ip", "-d", "-j", "addr", "show"], capture_output=True, text=True).stdout
    devices = {"": {"routes": [], "rules": [], "neigh": []}}
    for link in json.loads(out or "[]"):
        devices[link["ifname"]] = _device(link)
    for family in "46":
        show = "route show table all\nrule show\nneigh show nud permanent"
        out = ip(show, "-" + family, "-d", "-j", must=False).stdout
        for kind, objects in zip(("routes", "rules", "neigh"), [json.loads(x) for x in out.splitlines() if x.strip()]):
            for r in objects:
                if family == "6" and r.get("protocol") == "kernel" and r.get("table") == "local":
                    continue  # the kernel derives these from addresses, a moment later
                owner = devices.get(r.get("dev", ""), devices[""]) if kind != "rules" else devices[""]
                text = route_text(r) if kind == "routes" else json.dumps(r, sort_keys=True)
                owner[kind].append(family + " " + text)
    for d in devices.values():
        for k in ("routes", "rules", "neigh"):
            if k in d:
                d[k].sort()
    return devices


def memory():
    """Returns the files of /run/tunadm but the locks: the devices of a record, or the text."""
    found = {}
    for name in sorted(os.listdir("/run/tunadm")) if os.path.isdir("/run/tunadm") else []:
        if name == "lock" or name.endswith(".lock"):
            continue
        text = read("/run/tunadm/" + name)
        try:
            r = json.loads(text)
            found[name] = [(d["name"], d["index"]) for d in r["devices"]] if "devices" in r else r.get("made")
        except (ValueError, KeyError, TypeError):
            found[name] = text
    return found


def remembered(files):
    """Returns the (name, index) pairs of all records."""
    return {tuple(d) for v in files.values() if isinstance(v, list) for d in v}


def live(devices):
    """Returns the (name, index) pairs of the devices of a snapshot."""
    return {(n, d.get("index")) for n, d in devices.items()}


def without_traces(device):
    """Returns a device without what an attachment changes, and what it keeps after a kill."""
    d = dict(device, inet6_addr_gen_mode=None, sys_tun_flags=int(device["sys_tun_flags"], 16) & ~TRACES)
    d["addresses"] = [a for a in d["addresses"] if '"fe80::' not in a]
    d["routes"] = [r for r in d["routes"] if '"fe80::' not in r and '"ff00::/8"' not in r]
    info = d["linkinfo"]["info_data"]
    d["linkinfo"] = {"info_data": {k: v for k, v in info.items() if k not in ("pi", "vnet_hdr")}}
    return d


def differences(a, b, mask=frozenset(), index=True, who="", order=False):
    """Returns the differences between two states of one device, as lines of text. order: of the addresses too, which
    decides on the source of IPv6 packets."""
    if a is None or b is None:
        return [] if a is b else [f"{who}: {'gone' if b is None else 'came'}"]
    lines = []
    for k in sorted(set(a) | set(b)):
        x, y = a.get(k), b.get(k)
        if x == y or (who, k) in mask or k == "index" and not index:
            continue
        if isinstance(x, list) and isinstance(y, list):
            gone, new = [i for i in x if i not in y], [i for i in y if i not in x]
            lines += [f"{who}: - {k} {i}" for i in gone] + [f"{who}: + {k} {i}" for i in new]
            if order and not gone and not new:
                lines.append(f"{who}: order of {k}: {x} -> {y}")
        else:
            lines.append(f"{who}: {k}: {x} -> {y}")
    return lines


def compare(a, b, mask=frozenset(), index=True, order=False):
    """Returns the differences between two snapshots, as lines of text."""
    return [line for n in sorted(set(a) | set(b)) for line in differences(a.get(n), b.get(n), mask, index, n, order)]
