"""Causes for which doctor is asked with --watch, and TCP connections that are refused."""

from table import broken, healthy

KNOCK = 'ip netns exec g "$PY" "$HELPER" knock'
UFW = """
    forward; tun; far return
    chain ip filter FORWARD forward filter drop
    rule ip filter FORWARD ct state established,related accept
    rule ip filter FORWARD icmp type echo-request accept
    ip netns exec far "$PY" -m http.server 443 &
    wait_for "ip netns exec far ss -ltn | grep -q :443"
    to_far; again """ + KNOCK + """ 203.0.113.2 443
"""
# serve ADDRESS: a program listens there
SERVE = """
    serve() { "$PY" -m http.server --bind "$1" 5432 & wait_for "ss -ltn | grep -q $1:5432"; }
"""

for watch in ("", " --watch=2"):
    broken(
        "ufw forwards no TCP, and forwards pings" + watch,
        "tun0" + watch,
        setup=UFW,
        want=r"firewall drops .*policy of the chain ip filter FORWARD(?!.*ct state invalid)",
        level="error",
        probe=KNOCK + " 203.0.113.2 443",
        repair="nft add rule ip filter FORWARD iifname tun0 accept",
        fix=True)
    broken(
        "a program listens on 127.0.0.1 alone, and connections through the VPN are refused" + watch,
        "tun0" + watch,
        setup=SERVE + "tun; serve 127.0.0.1; again " + KNOCK + " 10.0.0.1 5432",
        want="accepts packets to 127.0.0.1 only",
        level="error",
        probe=KNOCK + " 10.0.0.1 5432",
        repair=SERVE + "serve 10.0.0.1")

healthy(
    "a guest tries a TCP port that is closed, and gets all else",
    "tun0",
    setup="tun; again " + KNOCK + " 10.0.0.1 5432; again to_host",
    probe="to_host && ! " + KNOCK + " 10.0.0.1 5432")

healthy(
    "an owner that has no name here runs the program, as in a container",
    "tun0",
    setup="ip tuntap add tun0 mode tun user 64055; ip addr add 10.0.0.1/24 dev tun0; ip link set tun0 up; "
          'setpriv --reuid 64055 --clear-groups "$PY" "$HELPER" sink tun0 0x1001 & attached tun0')
