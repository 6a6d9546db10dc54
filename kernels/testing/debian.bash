# shellcheck shell=bash disable=SC2016,SC2034,SC2154 # a part of kernels/test, with which it shares its variables
# The kernels of Debian's archives: which there are, and their packages.

# The suites, oldest kernel first, each with the archive that holds it: main, or security for what is supported longer.
suites=(bullseye-security:security bullseye:main bookworm:main trixie:main trixie-backports:main sid:main)

# archive main|security prints where the machine's own packages of that archive come from.
archive() {
	local release
	# shellcheck source=/dev/null
	release=$(. /etc/os-release && [[ $ID == debian ]] && echo "${VERSION_CODENAME-}")
	[[ $1 == main ]] || release+=-$1
	apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
		awk -v release="$release" '$1 == release && !found++ { print $2 }'
}

# apt_private TOOL ARGS... runs a tool of apt on the sources, lists and packages of the cache, not on the machine's.
apt_private() {
	local tool=$1
	shift
	"$tool" -qq -o Dir::Etc::SourceList="$cache/apt/${sources-sources.list}" -o Dir::Etc::SourceParts=/dev/null \
		-o Dir::State="$cache/apt" -o Dir::State::Lists="$cache/apt/lists" -o Dir::State::Status=/dev/null \
		-o Dir::Cache="$cache/apt" -o Dir::Cache::pkgcache=pkgcache.bin -o Dir::Cache::srcpkgcache=srcpkgcache.bin \
		-o APT::Sandbox::User=root -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false "$@"
}

# update_lists takes the lists of all suites, if they are older than a day. It takes one suite at a time, since a suite
# that has left the archive must not hide the others.
update_lists() {
	local entry suite uri keys=''
	[[ -z $(find "$cache/apt/sources.list" -mmin -1440 2>/dev/null) ]] || return 0
	[[ ! -f /usr/share/keyrings/debian-archive-keyring.gpg ]] ||
		keys='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] '
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial"
	: >"$cache/apt/all.list"
	for entry in "${suites[@]}"; do
		suite=${entry%:*} uri=$(archive "${entry#*:}")
		[[ -n $uri ]] || { echo "unavailable: $suite: apt has no such archive" && continue; }
		echo "deb $keys$uri $suite main" >"$cache/apt/suite.list"
		if sources=suite.list apt_private apt-get -o APT::Get::List-Cleanup=false update >"$cache/apt/log" 2>&1; then
			cat "$cache/apt/suite.list" >>"$cache/apt/all.list"
		else
			echo "unavailable: $suite: $(grep -m 1 '^[EW]:' "$cache/apt/log" || echo 'the archive does not answer')"
		fi
	done
	mv "$cache/apt/all.list" "$cache/apt/sources.list"
}

# depends PACKAGE VERSION prints the packages that it depends on, one a line.
depends() {
	apt_private apt-cache show "$1=$2" |
		awk '/^Depends:/ { gsub(/\([^)]*\)|,|^Depends:/, " "); print }' | tr -s ' ' '\n'
}

# newest_kernels prints "RELEASE VERSION" of each suite's kernel, and of several of one series (5.10) only the first.
newest_kernels() {
	local entry version image series seen=' '
	for entry in "${suites[@]}"; do
		version=$(apt_private apt-cache madison linux-image-amd64 |
			awk -v suite="${entry%:*}" '$6 ~ "^" suite "/" && !found++ { print $3 }')
		[[ -n $version ]] || continue
		image=$(depends linux-image-amd64 "$version" | grep -m 1 '^linux-image-')
		series=$(grep -oE '[0-9]+\.[0-9]+' <<<"$image" | head -n 1)
		[[ $seen == *" $series "* ]] || echo "${image#linux-image-} $version"
		seen+="$series "
	done
}

# unpack RELEASE VERSION puts the kernel and its modules into the cache, whole or not at all.
unpack() {
	local release=$1 version=$2 place=$cache/linux-$1 new=$cache/linux-$1.new package packages
	[[ ! -d $place ]] || return 0
	rm -rf "$new" && mkdir -p "$new"
	packages=$(echo "linux-image-$release" &&
		depends "linux-image-$release" "$version" | grep -E '^linux-(base|binary|modules)-[0-9]')
	for package in $packages; do
		(cd "$new" && apt_private apt-get download "$package=$version") >>"$cache/apt/log" 2>&1 || return
	done
	for package in "$new"/*.deb; do
		dpkg-deb --fsys-tarfile "$package" |
			tar -C "$new" -x --wildcards './boot/vmlinuz*' '*lib/modules/*' 2>/dev/null || true # it has one of them
	done
	rm -f "$new"/*.deb
	[[ -d $new/usr/lib/modules ]] || { mkdir -p "$new/usr" && mv "$new/lib" "$new/usr/"; }
	if [[ -f $new/boot/vmlinuz-$release ]]; then
		mv "$new/boot/vmlinuz-$release" "$new/usr/lib/modules/$release/vmlinuz" || return
	fi
	[[ -f $new/usr/lib/modules/$release/vmlinuz ]] || return
	mv "$new" "$place"
}
