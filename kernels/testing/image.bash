# shellcheck shell=bash disable=SC2154 # a part of kernels/test, with which it shares its variables
# The initramfs: this machine's tools, the test programs, and one kernel's modules.

# The tools that the tests call. busybox stands in for others; a tool that the machine lacks is left out. tshark is not
# among them, because of its size.
tools='bash bridge cat chmod chown cp cut dd dropwatch env flock gawk getent gpasswd grep groupadd head id ifdown ifup
  install ip jq kill kmod ln ls mkdir mkfifo mknod mktemp mount mountpoint mv nft nohup nsenter od openvpn ping
  prlimit readlink rm run-parts sed seq setpriv sh sleep sort ss stat stdbuf strace sysctl tail tc test timeout touch
  tr true tunctl umount unshare useradd userdel usermod visudo wc xargs'

# Where a kernel's modules are that the tests can come to: the rest of 300 MB stays out.
module_places='arch crypto lib mm net drivers/net drivers/virtio drivers/char drivers/block fs/fuse fs/overlayfs'

# copy FILE puts a program of the machine at its place in the image, with the libraries that it loads.
copy() {
	local file=$1 target library
	[[ ! -e $image$file ]] || return 0
	target=$(realpath -- "$file")
	install -D -p -m 0755 "$target" "$image$file"
	ldd "$target" 2>/dev/null | grep -oE '/[^ ]+' | while read -r library; do
		[[ -e $image$library ]] || install -D -p -m 0755 "$(realpath -- "$library")" "$image$library"
	done
}

# base makes what all kernels share: the directory image.
base() {
	local tool path package
	mkdir -p "$image"/{dev,etc,proc,sys,run,root,tmp,mnt,srv,var/tmp,usr/bin,usr/sbin,lib/modules}
	ln -s usr/bin "$image/bin" && ln -s usr/sbin "$image/sbin"
	for tool in $tools; do
		if path=$(PATH=/usr/sbin:/usr/bin:/sbin:/bin type -P "$tool"); then
			copy "$path"
		else
			echo "without $tool" >&2
		fi
	done
	install -p -m 0755 "$(type -P busybox)" "$image/bin/busybox"
	for tool in $("$image/bin/busybox" --list); do
		for path in usr/bin usr/sbin; do [[ ! -e $image/$path/$tool ]] || continue 2; done
		ln -s /bin/busybox "$image/usr/bin/$tool"
	done
	[[ ! -e $image/usr/bin/kmod ]] || for tool in modprobe depmod; do ln -sf /usr/bin/kmod "$image/sbin/$tool"; done
	[[ -e $image/bin/sh ]] || ln -s busybox "$image/bin/sh"
	awk -F: '$3 < 1000 || $3 == 65534' /etc/passwd >"$image/etc/passwd"
	awk -F: '$3 < 1000 || $3 == 65534' /etc/group >"$image/etc/group"
	printf '127.0.0.1 localhost\n' >"$image/etc/hosts"
	printf 'passwd: files\ngroup: files\nhosts: files\n' >"$image/etc/nsswitch.conf"
	for path in /etc/protocols /etc/services /etc/iproute2 /etc/login.defs /etc/network/if-*.d; do
		[[ ! -e $path ]] || { mkdir -p "$image${path%/*}" && cp -rL "$path" "$image$path"; }
	done
	install -m 0755 "$tunadm" "$image/usr/sbin/tunadm"
	mkdir -p "$image/src"
	git -C "$here/.." ls-files -z | tar -C "$here/.." --null -T - -c | tar -C "$image/src" -x
	(cd "$here/.." && for package in $packages; do
		CGO_ENABLED=0 go test -tags urfave_cli_no_docs -c -o "$image/src/$package/${package##*/}.test" "./$package" ||
			exit
	done)
	install -m 0755 "$here/testing/guest" "$image/init"
	install -m 0755 "$here/testing/smoke" "$image/usr/sbin/smoke"
	install -D -m 0755 "$here/testing/timeout" "$image/usr/local/bin/timeout"
	printf '#!/bin/busybox sh\nbusybox reboot -f\n' >"$image/probe" && chmod 0755 "$image/probe"
}

archive_of() { (cd "$1" && find . -print0 | cpio --quiet -0 -o -H newc); }

# initramfs RELEASE FILE packs base, with the modules of one kernel.
initramfs() {
	local release=$1 file=$2 from=$cache/linux-$1/usr/lib/modules/$1 place to=$work/modules
	rm -rf "$to" && mkdir -p "$to/lib/modules/$release/kernel"
	for place in $module_places; do
		[[ ! -d $from/kernel/$place ]] || (cd "$from" && find "kernel/$place" -name '*.ko*' -size -2048k -print0) |
			tar -C "$from" --null -T - -c | tar -C "$to/lib/modules/$release" -x
	done
	rm -rf "$to/lib/modules/$release/kernel/drivers/net/"{wireless,ethernet,usb,wwan,can}
	cp "$from"/modules.{builtin,builtin.modinfo,order} "$to/lib/modules/$release/" 2>/dev/null || true
	depmod -b "$to" "$release"
	archive_of "$image" >"$file"
	archive_of "$to" >>"$file"
}
