# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of packaging/test, with which it shares its variables
# The source archive, without a network, without git and without a cache of modules.

# give_go mounts the machine's Go, and creates a package that stands for it: no release of Debian has this version.
give_go() {
	mkdir -p "$m/usr/local/go" "$m/opt/go/DEBIAN" "$m/opt/go/usr/bin"
	mount --bind "$(go env GOROOT)" "$m/usr/local/go"
	ln -s /usr/local/go/bin/go "$m/opt/go/usr/bin/go"
	printf 'Package: golang-go\nVersion: 2:1.26\nArchitecture: all\nMaintainer: %s\nDescription: %s\n' \
		'A test <test@example.org>' 'the Go of the machine' >"$m/opt/go/DEBIAN/control"
	apart 'dpkg-deb --build /opt/go /opt/golang-go.deb && dpkg --install /opt/golang-go.deb'
}

test_source() {
	bare source
	patience=900
	export GOCACHE=/opt/cache # of both builds: the release was built with another one
	check 'there is a Go in the root' give_go
	tar -C "$m/opt" -xf "$releases/$old/tunadm-$old.tar.xz"
	check 'the source archive builds without a network, git or modules' apart '
		set -ex
		cd /opt/tunadm-$old
		! command -v git
		export HOME=/tmp GOPROXY=off GOTOOLCHAIN=local
		make
		./tunadm --version | grep -xF "tunadm version $old"'
	check 'its program is the released one' \
		cmp "$m/opt/tunadm-$old/tunadm" <(gzip -dc "$releases/$old/tunadm-$old-linux-$(go env GOARCH).gz")
	check 'dpkg-buildpackage builds the packages' apart '
		set -ex
		cd /opt/tunadm-$old
		rm tunadm
		cp -r packaging/debian .
		dpkg-buildpackage -us -uc -b
		dpkg --contents ../tunadm_$old-1_*.deb >/tmp/contents'
	test_same_deb tunadm
	test_same_deb tunadm-tunctl
	said 'lintian has no error and no warning' 'lintian --allow-root --fail-on error,warning /opt/*.changes'
	check 'the autopkgtest succeeds' apart '
		set -ex
		dpkg --install /opt/tunadm_$old-1_*.deb
		/opt/tunadm-$old/debian/tests/smoke'
	umount "$m/usr/local/go"
	unset GOCACHE
	patience=60
}

# facts DEB prints the files of a deb with their modes, its scripts, and the fields that both builds state.
facts() {
	local part
	dpkg-deb --contents "$1" | awk '$6 != "./" { print $1, $2, $6, $7, $8 }' | sort -k 3
	for part in conffiles preinst postinst prerm postrm; do
		echo "$part: $(dpkg-deb --info "$1" $part 2>/dev/null | sort)"
	done
	dpkg-deb --field "$1" Package Version Architecture Maintainer Depends Recommends Conflicts Section Priority \
		Homepage Description
}

# test_same_deb PACKAGE compares the deb of debhelper with the released one.
test_same_deb() {
	check "$1: dpkg-buildpackage and make dist agree" diff <(facts "$(echo "$releases/$old/$1_"*.deb)") \
		<(facts "$(echo "$m/opt/$1_"*.deb)")
}
