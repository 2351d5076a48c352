# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# In the emulated host: guests with a region on devices of the lab's module. Read after options.sh and
# guests.sh.

LAB=/sys/kernel/debug/cxlvm_lab
# shellcheck disable=SC2034 # for who reads this file
PLATFORM=/sys/devices/platform/cxlvm_lab

sha256sum vmlinuz | cut -d' ' -f1 >out/vmlinuz.sha256

# region NAME INDEX - the guest NAME on this device; what type1 mapped meanwhile is in out/NAME/dma
region() {
	rm -f "$MEM"
	ln -s "$LAB/cxlvm_lab.$2/memory" "$MEM"
	echo 0 >$LAB/dma
	set -- "$1" --kernel vmlinuz --initrd guest.cpio.gz --memory 512M --device "vfio:$PLATFORM.$2"
	name=$1
	shift
	plan "$name" "$@"
	guest "$name" $REGION_LIMIT bin/cxlvm run "$@" --append "$APPEND cxlvm.test=region" \
		--trace 'cxl_*'
	cp $LAB/dma "out/$name/dma"
	rm -f "$MEM"
}
