# shellcheck shell=bash disable=SC2154,SC2120,SC2119,SC2016
# The words of the situations. T is tunadm, PY Python, HELPER helpers.py.
set -e

S() { "$PY" "$HELPER" "$@"; }

wait_for() {
  for _ in $(seq 60); do if eval "$1" >/dev/null 2>&1; then return 0; fi; sleep 0.05; done
  echo "never: $1" >&2
  return 1
}

# make_tun [DEV [ADDRESS]], make_tap [DEV [ADDRESS]]: a device of nobody that is up
device() {
  ip tuntap add dev "$2" mode "$1" user nobody
  ip addr add "$3" dev "$2"
  ip link set "$2" up
}
make_tun() { device tun "${1:-tun0}" "${2:-10.0.0.1/24}"; }
make_tap() { device tap "${1:-tap0}" "${2:-10.0.0.1/24}"; }

# bridge_up [BRIDGE [OPTION...]], port DEV [BRIDGE]: a bridge, and a tap that is its port
bridge_up() { ip link add "${1:-br0}" type bridge "${@:2}"; ip link set "${1:-br0}" up; }
port() { ip tuntap add dev "$1" mode tap user nobody; ip link set "$1" master "${2:-br0}" up; }

# guest NS DEV MODE ADDRESS [GATEWAY]: a namespace whose eth0 is behind DEV. IPV6=yes: with IPv6
guest() {
  ip netns add "$1"
  ip -n "$1" link set lo up
  if [ -z "$IPV6" ]; then ip netns exec "$1" sysctl -qw net.ipv6.conf.default.disable_ipv6=1; fi
  "$PY" "$HELPER" relay "$2" "$3" "$1" eth0 ${RELAY_FLAGS:+"$RELAY_FLAGS"} &
  echo $! >"/run/relay.$1"
  wait_for "ip -n $1 link show eth0"
  if [ -n "$4" ]; then ip -n "$1" addr add "$4" dev eth0; fi
  ip -n "$1" link set eth0 up
  if [ -n "$5" ]; then ip -n "$1" route add default via "$5"; fi
  if [ -z "$RELAY_FLAGS" ]; then attached "$2"; fi
}

# tun, tap: a device and its guest. two_taps: two guests behind ports of a bridge
tun() { make_tun; guest g tun0 tun 10.0.0.2/24 10.0.0.1; }
tap() { make_tap; guest g tap0 tap 10.0.0.2/24 10.0.0.1; }
two_taps() {
  bridge_up "${@}"
  port tap0; port tap1
  guest g tap0 tap 10.0.0.2/24; guest h tap1 tap 10.0.0.3/24
}
tun6() { IPV6=yes; tun; ip addr add fd00::1/64 dev tun0 nodad; ip -n g addr add fd00::2/64 dev eth0 nodad; }
tap6() { IPV6=yes; tap; ip addr add fd00::1/64 dev tap0 nodad; ip -n g addr add fd00::2/64 dev eth0 nodad; }

# far [return]: a network behind v0, 203.0.113.0/24; with "return" it has a route to 10.0.0.0/24
# IPV6=yes: with 2001:db8::/64 and a return route to fd00::/64
far() {
  ip netns add far
  ip -n far link set lo up
  ip link add v0 type veth peer name eth0 netns far
  ip addr add 203.0.113.1/24 dev v0
  ip link set v0 up
  ip -n far addr add 203.0.113.2/24 dev eth0
  ip -n far link set eth0 up
  if [ -n "$1" ]; then ip -n far route add 10.0.0.0/24 via 203.0.113.1; fi
  if [ -n "$IPV6" ]; then
    ip addr add 2001:db8::1/64 dev v0 nodad; ip -n far addr add 2001:db8::2/64 dev eth0 nodad
    ip -n far route add fd00::/64 via 2001:db8::1
  fi
}
veth() { ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; }
forward() { sysctl -qw net.ipv4.ip_forward=1; }

attached() { wait_for "ip link show $1 | grep -q LOWER_UP"; }
mac_of() { cat "/sys/class/net/$1/address"; }
guest_mac() { ip -n "$1" -br link show eth0 | awk '{print $3}'; }
ask() { ping -q -c2 -i0.1 -W1 "$@" || true; }
ask_from() { ip netns exec "$1" ping -q -c2 -i0.1 -W1 "${@:2}" || true; }

to_guest() { ping -c1 -W1 10.0.0.2; }
to_host() { ip netns exec g ping -c1 -W1 10.0.0.1; }
to_far() { ip netns exec g ping -c1 -W1 203.0.113.2; }
g_to_h() { ip netns exec g ping -c1 -W1 10.0.0.3; }
to_guest6() { ping -c1 -W1 fd00::2; }
to_far6() { ip netns exec g ping -c1 -W1 2001:db8::2; }
g_to_h6() { ip netns exec g ping -c1 -W1 fd00::3; }
to_host6() { ip netns exec g ping -c1 -W1 fd00::1; }
guests() { for i in $(seq 2 13); do ping -q -c1 -W0.3 "10.0.0.$i" || return 1; done; }
more_guests() { for i in $(seq 3 13); do ip -n g addr add "10.0.0.$i/24" dev eth0; done; }
replied() { rm -f /run/reply; sleep 0.7; test -e /run/reply; }
as_nobody() { S attach "$1" "$2" 65534; }

# more_echos COMMAND: more echo requests reach far while COMMAND runs
echos() { ip netns exec far awk '/^Icmp: [0-9]/{print $10}' /proc/net/snmp; }
more_echos() { local a; a=$(echos); "$@" || true; [ "$(echos)" -gt "$a" ]; }
# chain FAMILY TABLE CHAIN HOOK PRIORITY [POLICY]: a base chain. rule FAMILY TABLE CHAIN RULE...
chain() {
  nft add table "$1" "$2"
  nft "add chain $1 $2 $3 { type ${TYPE:-filter} hook $4 priority $5; policy ${6:-accept}; }"
}
rule() { nft add rule "$@"; }

# more_udp COMMAND: a server of the situation receives a packet
more_udp() { rm -f /run/udp; "$@"; sleep 0.3; test -e /run/udp; }
more_echos6() { local a; a=$(echos6); "$@" || true; [ "$(echos6)" -gt "$a" ]; }
echos6() { awk '$1 == "Icmp6InEchos" { print $2 }' /proc/net/snmp6; }
received() { cat "/sys/class/net/$1/statistics/rx_packets"; }
tx() { cat "/sys/class/net/$1/statistics/tx_packets"; }
dropped() { cat "/sys/class/net/$1/statistics/tx_dropped"; }
# again COMMAND...: each 0.3 s in the background
again() { ( set +e; while :; do "$@"; sleep 0.3; done ) >/dev/null 2>&1 & }
