# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of init/test, with which it shares its variables
# The roots, built once and kept.

# suite_of_machine and mirror print the suite and the mirror of the machine's own packages.
# shellcheck source=/dev/null
suite_of_machine() { (. /etc/os-release && [[ $ID == debian ]] && echo "${VERSION_CODENAME-}"); }
mirror() {
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		awk -v suite="$(suite_of_machine)" '$1 == suite && !found++ { print $2 }'
}

# ubuntu_keyring prints the file of the keys with which Ubuntu signs. Without the package on the machine, it is that of
# Debian's trixie, whose root downloads it.
ubuntu_keyring() {
	local keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg
	if [[ ! -e $keyring ]]; then
		suite=trixie
		[[ -d $(base) ]] || build "$(base)" >&2
		timeout 300 chroot "$(base)" sh -c 'cd /opt && apt-get -qq update && apt-get -qq download ubuntu-keyring' >&2
		dpkg-deb --extract "$(base)/opt/"ubuntu-keyring_*.deb "$cache/ubuntu-keyring" >&2
		keyring=$cache/ubuntu-keyring$keyring
	fi
	echo "$keyring"
}

# build ROOT builds the root in a temporary directory and renames it, so ROOT is complete or does not exist.
build() {
	local root=$1 new=$1.new from script='' flags=()
	from=$(mirror)
	[[ -n $from ]] || give_up 'the init: apt does not know where Debian comes from'
	if [[ $suite == noble ]]; then # Ubuntu; all its releases have one script
		# shellcheck disable=SC2054 # the comma is for debootstrap
		flags=(--components=main,universe "--keyring=$(ubuntu_keyring)")
		from=http://archive.ubuntu.com/ubuntu script=/usr/share/debootstrap/scripts/gutsy
	fi
	echo "init/test: debootstrap $suite" >&2
	rm -rf "$new"
	mkdir -p "$new"
	if ! timeout 900 unshare --mount --pid --fork --kill-child --mount-proc -- \
		debootstrap --variant=minbase --include="$packages" "${flags[@]}" "$suite" "$new" "$from" ${script:+"$script"} \
		>"$new.log" 2>&1; then
		tail -n 5 "$new.log" >&2
		give_up "the init: debootstrap $suite failed"
	fi
	[[ -z $more_packages ]] ||
		timeout 300 chroot "$new" sh -c '
			cd /opt && apt-get -qq update
			for p in $1; do apt-get -qq download $p || apt-get -qq download ${p}t64 || exit; done' sh \
			"$more_packages" >>"$new.log" 2>&1 ||
		echo 'init/test: no OpenRC' >&2
	rm -f "$new.log" "$new"/var/cache/apt/archives/*.deb
	: >"$new/etc/machine-id"
	mv "$new" "$root"
}

# extend BASE ROOT builds the root from another one, in which apt installs the added packages and starts nothing.
extend() {
	local base=$1 root=$2 new=$2.new
	echo "init/test: $suite with $added" >&2
	rm -rf "$new"
	cp -a "$base" "$new"
	if ! timeout 900 unshare --mount --pid --fork --kill-child -- sh -ec '
		mount -t proc proc "$1/proc"
		printf "#!/bin/sh\nexit 101\n" >"$1/usr/sbin/policy-rc.d"
		chmod 0755 "$1/usr/sbin/policy-rc.d"
		mkdir -p "$1/var/cache/apt/archives/partial"
		DEBIAN_FRONTEND=noninteractive chroot "$1" sh -ec "
			apt-get -qq update
			apt-get -qq -y --no-install-recommends --allow-remove-essential install $2
			apt-get clean"
		rm "$1/usr/sbin/policy-rc.d"' sh "$new" "$added" >"$new.log" 2>&1; then
		tail -n 5 "$new.log" >&2
		give_up "the init: apt-get in $suite failed"
	fi
	rm -f "$new.log"
	mv "$new" "$root"
}

# base prints the root of the suite that has only the packages of debootstrap.
base() {
	echo "$cache/$suite-$(dpkg --print-architecture)-$(echo "$packages $more_packages" | cksum | cut -d' ' -f1)"
}

# find_root CACHE sets root to the cached root, which one process builds if it does not exist.
find_root() {
	cache=$1 root=
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	timeout 1200 flock 9 || give_up 'the init: another run holds the cache'
	root=$(base)
	[[ -d $root ]] || build "$root"
	if [[ -n ${added-} ]]; then
		root=$root-$(echo "$added" | cksum | cut -d' ' -f1)
		[[ -d $root ]] || extend "$(base)" "$root"
	fi
	exec 9>&-
}
