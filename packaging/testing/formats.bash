# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of packaging/test, with which it shares its variables
# The packages of all formats, in a root that has the tools of several distributions.

# content DIRECTORY prints the sums of its files, and the modes of its files, directories and links.
content() {
	(cd "$1" && find . -type f -exec sha256sum {} + | sort -k 2 &&
		find . -mindepth 1 \( -type l -o -printf '%m %p\n' \) -o -printf '%p -> %l\n' | sort)
}

# wanted FORMAT DIRECTORY installs there what the source archive installs for a format.
wanted() {
	gzip -dc "$releases/$old/tunadm-$old-linux-$(go env GOARCH).gz" >"$work/source/tunadm"
	chmod 0755 "$work/source/tunadm"
	make -s -C "$work/source" install FORMAT="$1" DESTDIR="$2" >/dev/null
}

# alike FORMAT DIRECTORY compares an unpacked package with what make install installs.
alike() {
	wanted "$1" "$work/wanted-$1"
	check "$1: it contains what make install FORMAT=$1 installs" \
		diff <(content "$work/wanted-$1") <(content "$2")
}

# said WHAT SCRIPT runs a linter in the root, and prints what it says.
said() {
	local text
	if text=$(apart "$2" 2>&1); then
		ok "$1"
	else
		fail "$1"
	fi
	printf '%s\n' "$text" | sed 's/^/# /'
}

test_deb_format() {
	local deb
	said 'lintian has no error and no warning' \
		'lintian --allow-root --fail-on error,warning --show-overrides /opt/*$old-1_*.deb'
	for deb in "$m"/opt/tunadm_"$old"-1_*.deb; do dpkg-deb --extract "$deb" "$work/unpacked-deb"; done
	check 'deb: its maintainer' same "$packager" \
		"$(dpkg-deb --field "$m/opt/tunadm_$old-1_$(dpkg --print-architecture).deb" Maintainer)"
	rm -r "$work/unpacked-deb/usr/share/doc/tunadm/changelog.Debian.gz" "$work/unpacked-deb/usr/share/lintian"
	alike deb "$work/unpacked-deb"
}

# other_root creates a root for another package manager, in the root with its program.
other_root() {
	local tools=$m
	bare "$1"
	other=$m m=$tools
	mkdir -p "$m/opt/other"
	mount --bind "$other" "$m/opt/other"
}

test_rpm_format() {
	said 'rpmlint has no error and no warning' 'cd /opt && rpmlint --strict --rpmlintrc rpmlintrc *$old-1*.rpm'
	other_root rpm
	check 'rpm: it is intact, installs, upgrades, and leaves nothing' apart '
		set -ex
		cd /opt
		rpm --checksig --nosignature *.rpm
		rpm --root /opt/other --initdb
		rpm --root /opt/other --install --nodeps /opt/tunadm-$old-1.*.rpm && rpm --root /opt/other --erase tunadm
		find other | sort >/tmp/before
		rpm --root /opt/other --install --nodeps tunadm-$old-1.*.rpm
		rpm --root /opt/other --verify --nodeps tunadm
		chroot other tunadm --version | grep -xF "tunadm version $old"
		rpm --root /opt/other --upgrade --nodeps tunadm-$new-1.*.rpm
		chroot other tunadm --version | grep -xF "tunadm version $new"
		rpm --root /opt/other --query --list tunadm | grep -x /etc/tunadm.d
		test "$(rpm --root /opt/other --query --recommends tunadm)" = iproute
		rpm --root /opt/other --install tunadm-tunctl-$new-1.noarch.rpm
		test "$(readlink other/usr/bin/tunctl)" = tunadm
		rpm --root /opt/other --erase tunadm-tunctl tunadm
		find other | sort | diff /tmp/before -'
	check 'rpm: it unpacks' apart 'mkdir /opt/rpm && cd /opt/rpm && rpm2cpio ../tunadm-$old-1.*.rpm | cpio -idm --quiet'
	alike rpm "$m/opt/rpm"
	umount "$m/opt/other"
}

test_pacman_format() {
	other_root pacman
	printf '[options]\nArchitecture = auto\nSigLevel = Never\n' >"$m/opt/pacman.conf"
	check 'pacman: it installs, upgrades, and leaves nothing' apart '
		set -ex
		cd /opt
		mkdir -p other/var/lib/pacman/local other/var/lib/pacman/sync other/var/cache/pacman/pkg other/var/log
		pacman() { command pacman --config pacman.conf --root /opt/other --noconfirm "$@"; }
		pacman -U tunadm-$old-1-*.pkg.tar.zst && pacman -R tunadm
		find other | sort >/tmp/before
		pacman -U tunadm-$old-1-*.pkg.tar.zst
		pacman -Qkk tunadm
		chroot other tunadm --version | grep -xF "tunadm version $old"
		pacman -U tunadm-$new-1-*.pkg.tar.zst
		chroot other tunadm --version | grep -xF "tunadm version $new"
		pacman -U tunadm-tunctl-$new-1-any.pkg.tar.zst
		test "$(readlink other/usr/bin/tunctl)" = tunadm
		pacman -R tunadm-tunctl tunadm
		find other | sort | diff /tmp/before -'
	mkdir "$work/unpacked-pacman"
	tar -C "$work/unpacked-pacman" -xf "$m/opt/tunadm-$old-1-"*.pkg.tar.zst
	check 'pacman: its metadata' grep -qx "pkgver = $old-1" "$work/unpacked-pacman/.PKGINFO"
	rm "$work"/unpacked-pacman/.[A-Z]*
	alike archlinux "$work/unpacked-pacman"
	umount "$m/opt/other"
}

test_apk_format() {
	local apk content=$work/unpacked-apk
	apk=$(echo "$m/opt/tunadm_$old-r1_"*.apk)
	mkdir "$content"
	tar -C "$content" --warning=no-unknown-keyword -xf "$apk"
	check 'apk: its metadata' grep -qx "pkgver = $old-r1" "$content/.PKGINFO"
	check 'apk: the sum of its data' same "$(sed -n 's/^datahash = //p' "$content/.PKGINFO")" "$(data_sum "$apk")"
	check 'apk: its scripts' same \
		"$(cat "$top"/packaging/scripts/{postinstall,postremove,preremove})" \
		"$(cat "$content"/.{post-install,post-deinstall,pre-deinstall})"
	rm "$content"/.[Pp]*
	alike apk "$content"
}

# data_sum APK prints the sum of its last gzip stream, which has the files.
data_sum() {
	python3 - "$1" <<'P'
import hashlib, sys, zlib
data = open(sys.argv[1], 'rb').read()
while data:
    stream = zlib.decompressobj(31)
    stream.decompress(data)
    last, data = data[:len(data) - len(stream.unused_data)], stream.unused_data
print(hashlib.sha256(last).hexdigest())
P
}

test_formats() {
	bare formats
	patience=600
	cp "$releases/$old"/*.{deb,rpm,apk,zst} "$releases/$new"/*.{rpm,zst} "$m/opt/"
	cp "$top/packaging/rpmlintrc" "$m/opt/"
	mkdir "$work/source" "$work/unpacked-deb"
	tar -C "$work/source" --strip-components=1 -xf "$releases/$old/tunadm-$old.tar.xz"
	test_deb_format
	test_rpm_format
	test_pacman_format
	test_apk_format
	patience=60
}
