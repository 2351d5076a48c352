#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Make what the emulated host boots from and print its folder: initramfs and kernel. It is made
# once for each combination of tree, init script, module list and kernel.
#
#   host.sh                    the distribution's kernel, with its modules
#   host.sh --kernel FOLDER    the kernel in FOLDER, as kernel.sh makes it: it needs no modules
#
# The kernel is the unpacked one (ELF): unpacking it under emulation takes seconds.
set -eu
LAB_DIR=$(dirname "$0")
. "$LAB_DIR/lib.sh"

MODULES='irqbypass kvm ccp kvm-amd vfio vfio_iommu_type1 vfio-pci-core vfio-pci netfs 9pnet
9pnet_virtio 9p'

# Runs in the tree; $1 is the kernel image, $2 the kernel release, the rest are modules. The fields
# of a bzImage are those of the x86 boot protocol: "HdrS", setup_sects, payload_offset,
# payload_length.
# Debug sections make modules several times larger and slower to load under emulation.
# shellcheck disable=SC2016 # expanded by the inner shell
BUILD='
set -eu
image=$1 kver=$2
shift 2

# number OFFSET SIZE - an unsigned number in the image
number() {
	od -A n -t "u$2" -j "$1" -N "$2" "$image" | tr -d " "
}
if [ "$(number 514 4)" = 1400005704 ]; then
	start=$((($(number 497 1) + 1) * 512 + $(number 584 4)))
	length=$(($(number 588 4) - 4))
	tail -c "+$((start + 1))" "$image" | head -c "$length" |
		zstd -q -d -o /mnt/out/kernel 2>/dev/null ||
		cp "$image" /mnt/out/kernel
else
	cp "$image" /mnt/out/kernel
fi

mkdir /tmp/root
cd /tmp/root
mkdir bin modules
cp /usr/bin/busybox bin/
for applet in $(busybox --list); do
	[ -e "bin/$applet" ] || ln -s busybox "bin/$applet"
done
: >modules/order
for wanted in "$@"; do
	modprobe -d /mnt/kernel -S "$kver" --show-depends "$wanted" >/tmp/depends
	while read -r kind path _; do
		[ "$kind" = insmod ] || continue
		name=${path##*/}
		name=${name%.xz}
		[ ! -e "modules/$name" ] || continue
		case $path in
		*.xz) xz -dc "$path" >"modules/$name" ;;
		*) cp "$path" "modules/$name" ;;
		esac
		strip --strip-debug --remove-section=.BTF --remove-section=.BTF.base "modules/$name"
		echo "$name" >>modules/order
	done </tmp/depends
done
cp /mnt/in/init init
chmod 755 init
find . -exec touch -h -d @0 {} +
find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible |
	gzip -n >/mnt/out/initramfs
'

kernel=
case ${1:-} in
'') ;;
--kernel)
	[ $# = 2 ] || usage_error "$1 needs a folder"
	[ -f "$2/kernel" ] && [ -f "$2/kver" ] || die "$2: no kernel in it; build one with: $LAB_DIR/kernel.sh"
	kernel=$2
	;;
-h | --help)
	print_help "$0"
	exit 0
	;;
*) usage_error "unknown argument $1" ;;
esac

need_tree
image=$VMLINUZ
if [ -n "$kernel" ]; then
	image=$(cd "$kernel" && pwd)/kernel
	KVER=$(cat "$kernel/kver")
	MODULES=
fi
key=$( (cat "$LAB_DIR/host-init" "$0" && echo "$KVER $image") | short_hash)
out=$TREE/host-$key
if [ ! -d "$out" ]; then
	say "making the initramfs of the emulated host"
	work=$(mktemp -d "$TREE/host.XXXXXX")
	trap 'rm -rf "$work"' EXIT
	trap 'exit 130' INT TERM HUP
	mkdir "$work/out" "$work/in"
	cp "$LAB_DIR/host-init" "$work/in/init"
	# shellcheck disable=SC2086 # a list of modules
	in_tree -b "$TREE:/mnt/tree" -b "$KERNEL_DIR:/mnt/kernel" -b "$work/in:/mnt/in" \
		-b "$work/out:/mnt/out" sh -c "$BUILD" build \
		"/mnt/tree/${image#"$TREE"/}" "$KVER" $MODULES
	# another process may have been quicker
	mv -T "$work/out" "$out" 2>/dev/null || [ -d "$out" ] || die "cannot write $out"
fi
printf '%s\n' "$out"
