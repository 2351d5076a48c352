#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Fetch the kernel of Debian 12 (6.1), for tests with a guest that is older than the kernel's
# Type-2 support, and print the path of its image. It downloads about 80 MB the first time.
set -eu
LAB_DIR=$(dirname "$0")
. "$LAB_DIR/lib.sh"

SUITE=bookworm
PACKAGE=linux-image-amd64

# Runs in the tree: apt there knows the keys of older suites. All its state is in /mnt/work.
# shellcheck disable=SC2016 # expanded by the inner shell
FETCH='
set -eu
export APT_CONFIG=/mnt/work/apt.conf
cd /mnt/work
apt-get -q update
image=$(apt-cache depends --important "$1" |
	sed -n "s/^ *Depends: \(linux-image-[0-9].*\)/\1/p" | head -n 1)
[ -n "$image" ] || { echo "$1 depends on no kernel image"; exit 1; }
apt-get -q download "$image"
dpkg-deb --fsys-tarfile "$image"_*.deb | tar -x --wildcards "./boot/vmlinuz-*"
'

case ${1:-} in
'') ;;
-h | --help)
	print_help "$0"
	exit 0
	;;
*) usage_error "unknown argument $1" ;;
esac

need_tree
folder=$(cache_dir)/kernel12
if [ ! -d "$folder" ]; then
	say "fetching the kernel of Debian 12 (about 80 MB)"
	work=$(mktemp -d "$(cache_dir)/kernel12.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	apt_state "$work" "$SUITE"
	if ! in_tree -b "$work:/mnt/work" sh -c "$FETCH" fetch "$PACKAGE" >"$work/log" 2>&1; then
		tail -n 20 "$work/log" >&2
		die "could not fetch $PACKAGE of $SUITE"
	fi
	mv "$work/boot" "$folder"
fi
find "$folder" -name 'vmlinuz-*' | head -n 1
