#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Make the initramfs of the test guest.
#
#   mkguest.sh OUT.cpio.gz           for the tree's kernel, with its CXL modules and our driver
#   mkguest.sh OUT.cpio.gz --plain   for any kernel, without modules
#   mkguest.sh OUT.cpio.gz --nvme    for the tree's kernel, with its NVMe driver
#   mkguest.sh OUT.cpio.gz --ahci    for the tree's kernel, with its AHCI driver
#
# Modules of the distribution are decompressed and otherwise untouched: tests compare their
# hashes with the package's. What the guest does is in the init beside this script.
set -eu
GUEST_DIR=$(dirname "$0")
LAB_DIR=$GUEST_DIR/..
. "$LAB_DIR/lib.sh"

# Runs in the tree; $1 is the kernel release, the rest are modules in load order; or, after
# --with-depends, modules that bring what they need.
# shellcheck disable=SC2016 # expanded by the inner shell
BUILD='
set -eu
kver=$1
shift
cd /mnt/work/root
mkdir bin
cp /usr/bin/busybox bin/
if [ "${1:-}" = --with-depends ]; then
	shift
	mkdir modules
	modprobe -a -d /mnt/kernel -S "$kver" --show-depends "$@" | while read -r kind path _; do
		[ "$kind" = insmod ] || continue
		name=${path##*/}
		name=${name%.xz}
		[ ! -e "modules/$name" ] || continue
		xz -dc "$path" >"modules/$name"
		echo "$name" >>modules/order
	done
	gcc-14 -std=c11 -O2 -static -o bin/pattern /mnt/work/tools/pattern.c
	strip bin/pattern
elif [ $# -gt 0 ]; then
	mkdir modules
	for path in "$@"; do
		name=${path##*/}
		xz -dc "/mnt/kernel/lib/modules/$kver/kernel/drivers/$path.ko.xz" \
			>"modules/$name.ko"
	done
	make -C "/usr/src/linux-headers-$kver" M=/mnt/work/driver modules >/mnt/work/log 2>&1 || {
		cat /mnt/work/log >&2
		exit 1
	}
	cp /mnt/work/driver/cxlvm_t2.ko modules/
	strip --strip-debug modules/cxlvm_t2.ko
	gcc-14 -std=gnu11 -O2 -static -I /mnt/work/driver -o bin/reach /mnt/work/reach.c
	strip bin/reach
fi
find . -exec touch -h -d @0 {} +
find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible | gzip -n \
	>/mnt/work/initramfs
'

out=
modules='nvdimm/libnvdimm cxl/cxl_pmem cxl/cxl_acpi cxl/cxl_mem cxl/cxl_pci'
variant=guest
for argument in "$@"; do
	case $argument in
	--plain)
		modules=
		variant=plain
		;;
	--nvme)
		modules='--with-depends nvme'
		variant=nvme
		;;
	--ahci)
		modules='--with-depends ahci sd_mod'
		variant=ahci
		;;
	-h | --help)
		print_help "$0"
		exit 0
		;;
	-*) usage_error "unknown option $argument" ;;
	*)
		[ -z "$out" ] || usage_error "one output file, please"
		out=$argument
		;;
	esac
done
[ -n "$out" ] || usage_error "which output file?"

need_tree
key=$(cat "$0" "$GUEST_DIR/init" "$GUEST_DIR/reach.c" "$GUEST_DIR"/driver/* "$LAB_DIR/pattern.h" \
	"$LAB_DIR/tools/pattern.c" "$TREE/kver" |
	short_hash)
cached=$TREE/$variant-$key.cpio.gz
if [ ! -f "$cached" ]; then
	say "making the initramfs of the test guest"
	work=$(mktemp -d "$TREE/guest.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	mkdir "$work/root" "$work/driver" "$work/tools"
	cp "$GUEST_DIR"/driver/* "$LAB_DIR/pattern.h" "$work/driver/"
	cp "$GUEST_DIR/reach.c" "$LAB_DIR/pattern.h" "$work/"
	cp "$LAB_DIR/tools/pattern.c" "$work/tools/"
	install -m 755 "$GUEST_DIR/init" "$work/root/init"
	# shellcheck disable=SC2086 # a list of modules
	in_tree -b "$KERNEL_DIR:/mnt/kernel" -b "$work:/mnt/work" sh -c "$BUILD" build \
		"$KVER" $modules
	mv -f "$work/initramfs" "$cached"
fi
cp "$cached" "$out"
