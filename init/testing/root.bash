# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of init/test, with which it shares its variables
# The Debian root, built once and kept.

# suite_of_machine and mirror print the suite and the mirror of the machine's own packages.
# shellcheck source=/dev/null
suite_of_machine() { (. /etc/os-release && [[ $ID == debian ]] && echo "${VERSION_CODENAME-}"); }
mirror() {
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		awk -v suite="$(suite_of_machine)" '$1 == suite && !found++ { print $2 }'
}

# build ROOT builds the root in a temporary directory and renames it, so ROOT is complete or does not exist.
build() {
	local root=$1 new=$1.new from
	from=$(mirror)
	[[ -n $from ]] || give_up 'the init: apt does not know where Debian comes from'
	echo "init/test: debootstrap $suite" >&2
	rm -rf "$new"
	mkdir -p "$new"
	if ! timeout 900 unshare --mount --pid --fork --kill-child --mount-proc -- \
		debootstrap --variant=minbase --include="$packages" "$suite" "$new" "$from" >"$new.log" 2>&1; then
		tail -n 5 "$new.log" >&2
		give_up "the init: debootstrap $suite failed"
	fi
	[[ -z $more_packages ]] ||
		timeout 300 chroot "$new" sh -c 'cd /opt && apt-get -qq update && apt-get -qq download $1' sh \
			"$more_packages" >>"$new.log" 2>&1 ||
		echo 'init/test: no OpenRC' >&2
	rm -f "$new.log" "$new"/var/cache/apt/archives/*.deb
	: >"$new/etc/machine-id"
	mv "$new" "$root"
}

# find_root sets root to the cached root, which one process builds if it does not exist.
find_root() {
	local cache=$1
	root=$cache/$suite-$(dpkg --print-architecture)-$(echo "$packages $more_packages" | cksum | cut -d' ' -f1)
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	timeout 1200 flock 9 || give_up 'the init: another run holds the cache'
	[[ -d $root ]] || build "$root"
	exec 9>&-
}
