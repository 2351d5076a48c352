#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Make the tree: a small Debian system with QEMU, compilers and kernel packages for the lab.
#
#   tree.sh          make it if it is not there; prints its folder
#   tree.sh --path   only print its folder; exit status 1 if it is not there
#
# The tree lives in ${CXLVM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cxlvm}. It is made once, needs
# root, about 275 MB of downloads from this machine's own Debian mirror and 900 MB of disk. A run
# that was stopped goes on where it was. To make it anew, delete the folder.
#
#   root/      Debian with QEMU, iasl, gcc and kernel headers; run its programs with in-tree.sh
#   kernel/    the unpacked kernel packages with modules.dep
#   packages/  the kernel packages as downloaded
#   kver       the kernel's release; vmlinuz: path of its image
set -eu
LAB_DIR=$(dirname "$0")
. "$LAB_DIR/lib.sh"

step=0
steps=5
announce() {
	step=$((step + 1))
	say "[$step/$steps] $*"
}

# logged NAME COMMAND... - run with output to a log; on failure show its end and stop
logged() {
	log=$part/log/$1
	shift
	if ! "$@" >"$log" 2>&1 </dev/null; then
		tail -n 20 "$log" >&2
		die "this failed: $*; the full log is $log; run $0 again to go on"
	fi
}

# once NAME COMMAND... - skip what an earlier run has finished
once() {
	name=$1
	shift
	if [ -e "$part/done/$name" ]; then
		say "    already done"
		return
	fi
	"$@"
	: >"$part/done/$name"
}

# Packages are kept beside the tree while it is made, so a stopped run downloads nothing twice.
in_part() {
	in_tree -b "$part/debs:/mnt/debs" -b "$part:/mnt/part" "$@"
}

apt_in_part() {
	in_part apt-get -q -o Dir::Cache::archives=/mnt/debs/ -o APT::Sandbox::User=root \
		-o Acquire::Languages=none -o Dpkg::Options::=--force-unsafe-io "$@"
}

make_base() {
	rm -rf --one-file-system "$part/root"
	keyring=/usr/share/keyrings/debian-archive-keyring.gpg
	if [ -z "${http_proxy:-}" ]; then
		eval "$(apt-config shell http_proxy Acquire::http::Proxy)"
		[ -z "${http_proxy:-}" ] || export http_proxy
	fi
	logged debootstrap unshare --mount --propagation private debootstrap --variant=minbase \
		--arch=amd64 --keyring="$keyring" --cache-dir="$part/debs" \
		"$LAB_SUITE" "$part/root" "$mirror"
}

add_backports() {
	printf 'deb %s %s main\n' "$mirror" "$LAB_SUITE" "$mirror" "$LAB_SUITE-backports" \
		>"$part/root/etc/apt/sources.list"
	# this machine's way to its mirror: proxy, dates to accept
	apt-config dump --no-empty Acquire >"$part/root/etc/apt/apt.conf.d/90machine"
	printf '#!/bin/sh\nexit 101\n' >"$part/root/usr/sbin/policy-rc.d"
	chmod +x "$part/root/usr/sbin/policy-rc.d"
	cp -L /etc/resolv.conf "$part/root/etc/resolv.conf"
	[ ! -f /etc/hosts ] || cp -L /etc/hosts "$part/root/etc/hosts"
	logged update apt_in_part update
	# debootstrap has fetched some of them before: compressed to about a fifth
	echo $(($(megabytes "$part/root/var/lib/apt/lists") / 5)) >"$part/done/indexes"
}

# choose_kernel - writes the newest kernel release that has all three packages to $part/kver
choose_kernel() {
	in_part apt-cache search --names-only '^linux-(modules|binary|headers)-[0-9].*-amd64$' |
		sed -n 's/^linux-[a-z]*-\([0-9][^ -]*-amd64\) .*/\1/p' | sort | uniq -c |
		awk '$1 == 3 { print $2 }' | sort -V >"$part/log/kernels"
	kver=$(tail -n 1 "$part/log/kernels")
	if [ -z "$kver" ] || ! dpkg --compare-versions "${kver%-amd64}" ge "$LAB_KERNEL_MIN"; then
		die "$LAB_SUITE-backports has no kernel of at least $LAB_KERNEL_MIN," \
			"the newest is ${kver:-none}"
	fi
	printf '%s\n' "$kver" >"$part/kver"
}

install_programs() {
	# shellcheck disable=SC2086 # lists of package names
	logged install apt_in_part install -y --no-install-recommends $LAB_PACKAGES
	# shellcheck disable=SC2086
	logged install-backports apt_in_part install -y --no-install-recommends \
		-t "$LAB_SUITE-backports" $LAB_BACKPORTS "linux-headers-$(cat "$part/kver")"
	version=$(in_part qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')
	dpkg --compare-versions "${version:-0}" ge "$LAB_QEMU_MIN" ||
		die "QEMU of the tree is ${version:-missing}, at least $LAB_QEMU_MIN is needed"
}

fetch_kernel() {
	kver=$(cat "$part/kver")
	mkdir -p "$part/packages"
	logged download in_part sh -c 'cd /mnt/part/packages && exec apt-get -q \
		-o APT::Sandbox::User=root download "$@"' download \
		"linux-binary-$kver" "linux-modules-$kver"
	rm -rf "$part/kernel"
	mkdir "$part/kernel"
	for deb in "$part"/packages/*.deb; do
		dpkg -x "$deb" "$part/kernel"
	done
	if [ ! -e "$part/kernel/lib/modules" ]; then
		mkdir -p "$part/kernel/lib"
		ln -s ../usr/lib/modules "$part/kernel/lib/modules"
	fi
	image=$(cd "$part" && find kernel -name 'vmlinuz*' -type f | head -n 1)
	[ -n "$image" ] || die "linux-binary-$kver contains no vmlinuz"
	printf '%s\n' "$image" >"$part/vmlinuz"
}

index_modules() {
	logged depmod in_part depmod -b /mnt/part/kernel "$(cat "$part/kver")"
}

finish() {
	index=$(cat "$part/done/indexes")
	packages=$(megabytes "$part"/debs/*.deb "$part"/packages/*.deb)
	rm -rf "$part/debs" "$part/root/var/cache/apt" "$part/root/var/lib/apt/lists" \
		"$part/root/etc/apt/apt.conf.d/90machine"
	mkdir -p "$part/root/var/cache/apt/archives/partial" "$part/root/var/lib/apt/lists/partial"
	rm -rf "$part/done"
	mv "$part" "$tree"
	# what is built later goes beside it, by the user who asked for the tree
	[ -z "${SUDO_UID:-}" ] || chown "$SUDO_UID:${SUDO_GID:-}" "$tree" "$(cache_dir)"
	say "tree ready: kernel $(cat "$tree/kver"), $(megabytes "$tree") MB on disk," \
		"downloaded $packages MB of packages and $index MB of indexes"
}

make_tree() {
	[ "$(id -u)" = 0 ] || die "making the tree needs root; run:" \
		"sudo env CXLVM_CACHE='$(cache_dir)' $0"
	need_commands debootstrap:debootstrap unshare:util-linux flock:util-linux
	[ -e /usr/share/keyrings/debian-archive-keyring.gpg ] ||
		need_commands no-such-command:debian-archive-keyring
	mirror=$(mirror_uri)
	mkdir -p "$part/log" "$part/done" "$part/debs"
	use_tree "$part"
	announce "base system of Debian $LAB_SUITE (downloads about 45 MB)"
	once base make_base
	announce "package indexes, with backports (about 10 MB)"
	once backports add_backports
	once choose choose_kernel
	announce "QEMU, compiler, headers of kernel $(cat "$part/kver") (downloads about 95 MB)"
	once programs install_programs
	announce "packages of kernel $(cat "$part/kver") (downloads about 120 MB)"
	once kernel fetch_kernel
	announce "index of its modules"
	once modules index_modules
	finish
}

case ${1:-} in
'' | --path) ;;
-h | --help)
	print_help "$0"
	exit 0
	;;
*) usage_error "unknown argument $1" ;;
esac
[ $# -le 1 ] || usage_error "too many arguments"

tree=$(tree_dir)
part=$tree.part
if [ ! -d "$tree" ]; then
	[ "${1:-}" != --path ] || die "no tree yet; make it with: $0"
	mkdir -p "$(cache_dir)"
	# debootstrap and mounts need full paths
	tree=$(cd "$(cache_dir)" && pwd)/${tree##*/}
	part=$tree.part
	make_once "$tree" "making the tree" make_tree
fi
printf '%s\n' "$tree"
