"""The accepted outcomes: violations that a fact explains. Everything else fails."""

import fnmatch
import re
import typing


class Outcome(typing.NamedTuple):
    case: str   # pattern of "MODE SCENARIO SPEC", as in "error set-all recvfrom:ENOBUFS:3"
    kind: str   # pattern of the violation
    lines: str  # a regular expression that each line of it matches
    why: str    # the fact
    at: str = ""    # a regular expression that the call matches
    says: str = ""  # a regular expression that the standard error matches


OUTCOMES = [
    Outcome("error *", "crash", "",
            "Go's runtime throws where it cannot make its poller, which no program can catch; a limit of open files "
            "that leads there is refused at the start", at=r"^(epoll_create1|epoll_ctl|eventfd2)#1\("),
    Outcome("error tunnel *", "*crash", "",
            "Go's runtime throws where it cannot wake its poller, which no program can catch",
            says="netpollBreak write failed"),
    Outcome("error tunnel *", "*half made", r"^tun8: ",
            "Go's runtime throws where it cannot wake its poller; as after a kill, the device keeps what the "
            "attachment changed", says="netpollBreak write failed"),
    Outcome("around *", "crash", "",
            "Go's runtime ends the process where the kernel refuses it a thread or memory; the rest is judged as after "
            "a kill, by the next command", at=r"^(pids|memory|as)-"),
    Outcome("around cni-*", "crash", "",
            "Go's runtime throws where it cannot make its poller; the rest is judged as after a kill, by the next "
            "command",
            at=r"^nofile-[56]$"),
    Outcome("error *", "success, but not as asked", r"fe80:",
            "without CAP_NET_ADMIN the link-local address stays, as tunadm-packets(8) says", at=r"^capget#"),
    Outcome("error *", "success, but not as asked", r"fe80:",
            "where the sysctl cannot be written, as in a sandbox, the link-local address stays, as tunadm-packets(8) "
            "says",
            at=r"^openat#.*/disable_ipv6\", O_WRONLY.* = -1 (EACCES|EPERM|EROFS|ENOENT)"),
    Outcome("error *", "success, but not as asked", r"fe80:",
            "without io_submit(2), as in a sandbox, the link-local address stays, as tunadm-packets(8) says",
            at=r"^io_(setup|submit)#.* = -1 (ENOSYS|EPERM)"),
    Outcome("around * no-net-admin", "success, but not as asked", r"^tun8: \+ .*fe80:",
            "without CAP_NET_ADMIN the link-local address stays, as tunadm-packets(8) says"),
    Outcome("around apply-prune fsize-*", "stale memory", r"^\('tun[89]', ",
            "the limit of file sizes permits no new record, and a device that is gone is known by name and index"),
    Outcome("around * json-*", "success, but not as asked", r"^\w+: came$",
            "the record alone tells what apply created: without it, devices are kept", at=r"^json-(damaged|0)$",
            says="is damaged and was ignored"),
    Outcome("error set-first-owner *", "honest: half made", r"^tun7: (linkinfo|sys_owner|sys_group): ",
            "the kernel cannot remove an owner or a group: TUNSETOWNER refuses -1"),
    Outcome("meddle apply-drift-atomic *", "half made", r"^against (then: tap3: |before: tap3: (linkinfo|sys_owner): )",
            "the kernel cannot remove an owner or a group; it is set after the last look at the other devices",
            says="apply tap3: .* access anyone: the kernel cannot unset"),
    Outcome("error teardown* *", "*failed, but all is done", r": gone$",
            "teardown deletes what is remembered even if a file cannot be read, as tunadm(8) says",
            says="the files have mistakes; the devices that apply created are deleted nevertheless"),
    Outcome("error teardown-[bp]* *", "failed, but all is done", r": gone$|^nic7: ",
            "as above, and the port leaves its bridge, with the addresses that move back",
            says="the files have mistakes; the devices that apply created are deleted nevertheless"),
    Outcome("error as-*-delete *", "*failed, but all is done", "",
            "a delete cannot be taken back, and the tools print after it", at=r"^write#1\(1, "),
    Outcome("around as-*-delete *", "failed, but all is done", r"^(tap7|tun7): gone$",
            "a delete cannot be taken back, and the tools print after it", at=r"^(stdout-(full|gone)|fsize-[01])$"),
    Outcome("meddle [acls]*:replace-index:*", "foreign device changed", r"^\w+: (?!gone)",
            "a device is changed by its index, which the kernel gives to another one only where a program asks for it; "
            "the last look comes right before", at="looked at"),
    Outcome("meddle *:replace-index:*", "foreign device changed", r"^\w+: gone",
            "the kernel deletes by the index, which it gives to another device only where a program asks for it; the "
            "last look comes right before", at="looked at"),
    Outcome("meddle *", "success, but not as asked", r"^\w+: gone$",
            "others took the persistent device away after the last look at it, as they may after the command",
            at=r":(delete|netns):\w+ kept.*, looked at"),
    Outcome("meddle *", "success, but not as asked", r"^\w+: gone$",
            "others took the persistent device away after the signal that ends the program, which then exits 0",
            at=r":delete:\w+ kept.*, told to end"),
    Outcome("meddle teardown*", "success, but not as asked", r"^(tap4|tun1): came$",
            "a device that others renamed is theirs, as a warning says", at=r":(rename|swap):(tap4|tun1) kept",
            says="teardown (tap4|tun1): warning: its name is away0 now, so it is unchanged"),
    Outcome("meddle *bridge*", "success, but not as asked", r"^(br7: came|nic7: (- |\w+: ))",
            "a bridge that others renamed is theirs with its ports, as a warning says", at=r":(rename|swap):br7 kept",
            says="br7: warning: its name is away0 now, so it is unchanged"),
    Outcome("meddle apply-[bp]*", "success, but not as asked",
            r"^(br7: gone$|(nic7|tap7|tap8): (allmulti|linkinfo|master|promiscuity): )",
            "others took the bridge away after the last look at it, as they may after the command",
            at=r":(delete|replace|replace-index):br7 kept(, attached)?, looked at"),
    Outcome("meddle loop*", "success, but not as asked", r"^tun\d: came$",
            "a device that others renamed is theirs, as a warning says", at=r":(rename|swap):tun\d",
            says=r"loop tun\d: warning: its name is away0 now, so it is unchanged"),
    Outcome("meddle loop*", "*half made", "",
            "a device that others renamed is theirs, as a warning says", at=r":(rename|swap):tun\d",
            says=r"loop tun\d: warning: its name is away0 now, so it is unchanged"),
    Outcome("meddle [delt][cuo]*", "success, but not as asked", r"^\w+: gone$",
            "a queue works on after others have moved its device to another network namespace",
            at=r":netns:\w+ kept, attached"),
    Outcome("race index index", "wrong", r"^a (tap of its name|tun of its name and index); teardown --force:",
            "teardown --force deletes declared devices that apply did not create, as tunadm(8) says"),
    Outcome("race index index", "wrong", r"^a tun of its name and index; (teardown|apply --prune):",
            "the kernel tells two devices of one boot apart by nothing but kind, name and index, and an index comes "
            "again only where a program asks for it (TUNSETIFINDEX)"),
]


class Table:
    """The table, and which of its rows matched."""

    def __init__(self, rows=OUTCOMES):
        self.rows, self.used = rows, set()

    def accepts(self, case, kind, lines, at, err):
        """Returns the row that explains a violation, or None."""
        for row in self.rows:
            if fnmatch.fnmatchcase(case, row.case) and fnmatch.fnmatchcase(kind, row.kind) \
                    and re.search(row.at, at) and re.search(row.says, err) \
                    and all(re.search(row.lines, line) for line in lines):
                self.used.add(row)
                return row
        return None

    def stale(self):
        return [row for row in self.rows if row not in self.used]
