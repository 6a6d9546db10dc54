# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of init/test, with which it shares its variables
# Machines: copies of the root, booted in a container.

# prepare ROOT WORK CGROUPS prepares the mounts and programs that all machines share.
prepare() {
	local group
	root=$1 work=$2
	for group in $3; do
		echo 0 >"$group/cgroup.procs"
	done
	mount -t tmpfs -o mode=0700 tmpfs "$work"
	mount -t tmpfs -o mode=0755 tmpfs /run # nspawn leaves directories there
	# A separate node, because a booted machine changes the modes of the nodes in /dev.
	mknod -m 0666 "$work/tun" c 10 200
	cc -std=gnu11 -O2 -Wall -Wextra -static -o "$work/hostile" "$here/testing/hostile.c"
	cc -std=gnu11 -O2 -Wall -Wextra -static -o "$work/attach" -x c - <<'C'
// attach DEVICE tun|tap: attaches as its user, prints its addresses, notifies systemd, and runs until it is stopped.
#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq ifr = {.ifr_flags = IFF_NO_PI | (strcmp(argv[2], "tap") ? IFF_TUN : IFF_TAP)};
	strncpy(ifr.ifr_name, argv[1], IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0) {
		perror(argv[1]);
		return 1;
	}
	printf("user %d is attached to %s:", getuid(), argv[1]);
	struct ifaddrs *all = NULL;
	if (getifaddrs(&all) < 0)
		perror("getifaddrs");
	for (struct ifaddrs *a = all; a; a = a->ifa_next)
		if (a->ifa_addr && a->ifa_addr->sa_family == AF_INET && !strcmp(a->ifa_name, argv[1]))
			printf(" %s", inet_ntoa(((struct sockaddr_in *)a->ifa_addr)->sin_addr));
	printf("\n");
	fflush(stdout);
	const char *notify = getenv("NOTIFY_SOCKET");
	if (notify) {
		struct sockaddr_un to = {.sun_family = AF_UNIX};
		strncpy(to.sun_path, notify, sizeof to.sun_path - 1);
		if (sendto(socket(AF_UNIX, SOCK_DGRAM, 0), "READY=1", 7, 0, (struct sockaddr *)&to, sizeof to) < 0)
			perror("notify");
	}
	pause();
}
C
}

# bare NAME creates a new copy of the root, and sets m to its directory.
bare() {
	m=$work/$1/root
	mkdir -p "$m" "$work/$1/upper" "$work/$1/work"
	mount -t overlay -o "lowerdir=$root,upperdir=$work/$1/upper,workdir=$work/$1/work" overlay "$m" 2>/dev/null ||
		cp -a "$root/." "$m"
	install -D -m 0755 "$work/attach" "$m/usr/local/bin/attach"
	echo 'waldner:x:1000:1000::/:/bin/sh' >>"$m/etc/passwd"
	echo 'waldner:x:1000:' >>"$m/etc/group"
	echo 'lab:x:1001:waldner' >>"$m/etc/group"
}

# machine NAME creates a machine in which "make install" installed tunadm.
machine() {
	local unit script
	bare "$1"
	install -D -m 0755 "$tunadm" "$m/usr/local/bin/tunadm"
	install -D -m 0755 "$work/hostile" "$m/usr/local/bin/hostile"
	for unit in $units; do
		place "$unit" 0644 "$m/usr/local/lib/systemd/system/$unit"
	done
	for script in if-pre-up.d if-post-down.d; do
		place ifupdown 0755 "$m/etc/network/$script/tunadm"
	done
	case $init in
	sysvinit) place tunadm.lsb 0755 "$m/etc/init.d/tunadm" ;;
	openrc) place tunadm.openrc 0755 "$m/etc/init.d/tunadm" ;;
	esac
	[[ $init == systemd ]] || sed -i /getty/d "$m/etc/inittab" # there is no terminal
	mkdir -p "$m/etc/tunadm.d" "$m/etc/tunadm"
}
place() {
	install -D -m "$2" /dev/null "$3"
	sed 's|@BINDIR@|/usr/local/bin|' "$here/$1" >"$3"
}

# with_udev makes udev run in the container, although /sys is read-only. It reads /sys, and is not triggered.
with_udev() {
	local unit
	for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket; do
		mkdir -p "$m/etc/systemd/system/$unit.d"
		printf '[Unit]\nConditionPathIsReadWrite=\n' >"$m/etc/systemd/system/$unit.d/read-only-sys.conf"
	done
	ln -s /dev/null "$m/etc/systemd/system/systemd-udev-trigger.service"
}

# service NAME "KEY=VALUE..." creates a service in the machine from lines for its two sections.
service() {
	printf '[Unit]\n%s\n[Service]\n%s\n[Install]\nWantedBy=sysinit.target\n' "$2" "$3" >"$m/etc/systemd/system/$1"
	systemctl --quiet --root="$m" enable "$1"
}

# boot [ARGUMENT] boots the machine and waits until it has started, even if units failed. The argument of systemd-nspawn
# replaces the one for the driver's node. The machine has a link eth1, except if networkd configures all links.
boot() {
	local console=pipe link=--network-veth-extra=far$((boots += 1)):eth1
	[[ $init == systemd ]] || console=read-only # the scripts write to it, and it is not there in a pipe
	[[ ! -e $m/etc/systemd/network/zz-all.network ]] || link=--
	systemd-nspawn --quiet --directory="$m" --machine=tunadm-test --register=no --keep-unit --settings=no \
		--private-network "${1:---bind=$work/tun:/dev/net/tun}" --system-call-filter=pidfd_getfd --link-journal=no \
		--timezone=off --resolv-conf=off --console=$console --boot "$link" </dev/null >"$work/console" 2>&1 &
	nspawn=$! leader=
	wait_for 30 find_leader && ip link set "far$boots" up 2>/dev/null
	[[ -n $leader ]] && wait_for 100 started && return
	cat "$work/console" >&2
	return 1
}
# started sets state to the system state that systemd reports after all jobs are done. With other inits, rc.local is the
# last script, and creates a file.
started() {
	if [[ $init != systemd ]]; then
		inside test -e /run/booted
		return
	fi
	state=$(inside systemctl is-system-running --wait)
	[[ $state == running || $state == degraded ]]
}
find_leader() {
	local status first
	kill -0 "$nspawn" || return
	for status in /proc/[0-9]*/status; do # its first process is 1 in a namespace below this one
		first=$(awk '/^NSpid:/ { print NF $NF }' "$status" 2>/dev/null)
		if [[ $first == 31 && $(<"${status%status}comm") == @(systemd|init) ]]; then
			leader=${status//[^0-9]/}
			return
		fi
	done
	return 1
}

# inside COMMAND... runs a command in the machine.
inside() { timeout 120 nsenter --target "$leader" --all -- "$@"; }

# power_off [keep] turns the machine off and sets took to the duration in milliseconds.
power_off() {
	local from
	from=$(milliseconds)
	case $init in
	systemd) inside systemctl --no-block poweroff >/dev/null 2>&1 || true ;;
	*) inside init 0 || true ;;
	esac
	wait_for 100 refused kill -0 "$nspawn" || kill -KILL "$nspawn"
	took=$(($(milliseconds) - from))
	wait "$nspawn" || true
	[[ ${1-} == keep ]] || umount "$m" 2>/dev/null || true
}

journal() { inside journalctl --quiet --boot --output=cat "$@"; }
property() { inside systemctl show --value --property="$1" "$2"; }
attribute() { inside cat "/sys/class/net/$1/$2"; }
devices() { inside sh -c 'cd /sys/class/net && for d in *; do [ ! -e "$d/tun_flags" ] || echo "$d"; done' | xargs; }
master() { basename "$(inside readlink "/sys/class/net/$1/master")"; }
