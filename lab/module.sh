#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Make the kernel module of the lab's device and print its path. It is made once for each kernel and
# state of its sources: those in module/ and the rooms of the library that are compiled into it.
#
#   module.sh                    for the tree's kernel
#   module.sh --kernel FOLDER    for the kernel in FOLDER, as kernel.sh makes it
set -eu
LAB_DIR=$(dirname "$0")
. "$LAB_DIR/lib.sh"

TOP_DIR=$LAB_DIR/..
ROOMS='regs decoder device kernel_shape'
# what they use of the rest
SHARED='src/base/math.h include/cxlvm/base.h'

# Runs in the tree; $1 is what to build against.
# shellcheck disable=SC2016 # expanded by the inner shell
BUILD='
set -eu
make -C "$1" CC=gcc-14 M=/mnt/work KCFLAGS=-Werror modules >/mnt/work/log 2>&1 || {
	cat /mnt/work/log >&2
	exit 1
}
strip --strip-debug --remove-section=.BTF --remove-section=.BTF.base /mnt/work/cxlvm_lab.ko
'

folder=
case ${1:-} in
'') ;;
--kernel)
	[ $# = 2 ] || usage_error "$1 needs a folder"
	[ -d "$2/build" ] || die "$2: no kernel in it; build one with: $LAB_DIR/kernel.sh"
	folder=$(cd "$2" && pwd)
	;;
-h | --help)
	print_help "$0"
	exit 0
	;;
*) usage_error "unknown argument $1" ;;
esac

# sources - the files that the module is made of
sources() {
	find "$LAB_DIR/module" -type f
	for file in $SHARED; do
		echo "$TOP_DIR/$file"
	done
	for room in $ROOMS; do
		find "$TOP_DIR/src/$room" -name '*.[ch]'
	done
}

need_tree
against=/usr/src/linux-headers-$KVER
[ -z "$folder" ] || against=/mnt/kernel/build
key=$({ cat "$0" "$TREE/kver" && echo "$folder" && sources | LC_ALL=C sort | xargs cat; } | short_hash)
cached=$TREE/cxlvm_lab-$key.ko
if [ ! -f "$cached" ]; then
	say "making the kernel module of the lab's device"
	work=$(mktemp -d "$TREE/module.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	cp "$LAB_DIR"/module/* "$work/"
	for file in $SHARED; do
		mkdir -p "$work/${file%/*}"
		cp "$TOP_DIR/$file" "$work/$file"
	done
	for room in $ROOMS; do
		mkdir "$work/src/$room"
		cp "$TOP_DIR/src/$room"/*.[ch] "$work/src/$room/"
	done
	in_tree -b "$work:/mnt/work" -b "${folder:-$TREE/kernel}:/mnt/kernel" \
		sh -c "$BUILD" build "$against"
	mv -f "$work/cxlvm_lab.ko" "$cached"
fi
printf '%s\n' "$cached"
