#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Make the archive with cxl(1), from the distribution's package ndctl, for the test guest, and print
# its path. It is to be appended to the guest's initramfs. Downloads about 2 MB the first time.
set -eu
LAB_DIR=$(dirname "$0")
. "$LAB_DIR/lib.sh"

# Runs in the tree; all state of apt is in /mnt/work. What the tree has installed already is not
# downloaded. The libraries that the program needs come from both.
# shellcheck disable=SC2016 # expanded by the inner shell
FETCH='
set -eu
export APT_CONFIG=/mnt/work/apt.conf
cd /mnt/work
apt-get -q update
apt-get -q -y --no-install-recommends --download-only install ndctl
mkdir unpacked root
for package in cache/archives/*.deb; do
	dpkg -x "$package" unpacked
done
libraries=/usr/lib/x86_64-linux-gnu
LD_LIBRARY_PATH=/mnt/work/unpacked$libraries ldd unpacked/usr/bin/cxl | grep -o "/[^ ]*" >needed
mkdir -p root/usr/bin root/usr/share/doc "root$libraries" root/lib64
cp unpacked/usr/bin/cxl root/usr/bin/
while read -r library; do
	case $library in
	*/ld-linux*) cp -L "$library" root/lib64/ ;;
	*) cp -L "$library" "root$libraries/" ;;
	esac
done <needed
cd root
find . -exec touch -h -d @0 {} +
find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible | gzip -n >../cxl.cpio.gz
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
archive=$TREE/cxl-$(short_hash <"$0").cpio.gz
if [ ! -f "$archive" ]; then
	say "fetching cxl (package ndctl, about 2 MB)"
	work=$(mktemp -d "$TREE/cxl.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	apt_state "$work" "$LAB_SUITE"
	if ! in_tree -b "$work:/mnt/work" sh -c "$FETCH" >"$work/log" 2>&1; then
		tail -n 20 "$work/log" >&2
		die "could not fetch ndctl of $LAB_SUITE"
	fi
	mv "$work/cxl.cpio.gz" "$archive"
fi
printf '%s\n' "$archive"
