# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs in the emulated host: all guests of the lab tests, one after the other.
set -eu
. ./options.sh
. ./guests.sh
. ./qemu.sh

region() { # NAME GENERATION
	new_memory
	set -- "$1" --kernel vmlinuz --initrd guest.cpio.gz --memory 512M \
		--device "sim,size=$REGION_SIZE,generation=$2,memory-file=$MEM"
	name=$1
	shift
	plan "$name" "$@"
	guest "$name" $REGION_LIMIT bin/cxlvm run "$@" --append "$APPEND cxlvm.test=region" \
		--trace cxl_locked_hdm
	# once more with nobody using it any more
	seed=$(tail -n 1 "talk/$name.seeds" | cut -d' ' -f3)
	bin/pattern check $MEM "$seed" >"out/$name/after" 2>&1 || :
}

# two devices, two virtual CPUs, and all that trials.sh has to say; the kernel by its PVH entry
trials() {
	new_memory
	rm -f "${MEM}2"
	# shellcheck disable=SC2086 # options are words
	set -- --kernel vmlinux --initrd guest-cxl.cpio.gz $TRIALS_OPTIONS \
		--device "sim,size=$REGION_SIZE,memory-file=$MEM" \
		--device "sim,size=$SECOND_SIZE,memory-file=${MEM}2,quirk=base-host"
	plan trials "$@"
	guest trials $TRIALS_LIMIT bin/cxlvm run "$@" \
		--append "$APPEND iomem=relaxed cxlvm.test=region" --trace cxl_locked_hdm
	rm -f "${MEM}2"
}

# the smallest guest first: it needs nothing but KVM
echo "PROGRESS payload guests"
mkdir -p out/payload
env CXLVM=bin/cxlvm-switches BASE="$(cat payload.base)" PAYLOAD=payload PATTERN=bin/pattern \
	WORK=/tmp/payload \
	sh store.sh >out/payload/tap 2>&1 || :
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null || :
env CXLVM=bin/cxlvm GUEST=guest PATTERN=bin/pattern WORK=/tmp/passes sh passes.sh >out/payload/passes 2>&1 || :
env CXLVM=bin/cxlvm GUEST=guest WORK=/tmp/suite sh suite.sh >out/payload/suite 2>&1 || :

region region-5 5
region region-2 2
trials

new_memory
guest tail $BOOT_LIMIT bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz --memory 512M \
	--device "sim,size=$SECOND_SIZE,memory-file=$MEM,decoder=guest" \
	--append "$APPEND iomem=relaxed cxlvm.test=reach"

new_memory
guest broken $BOOT_LIMIT bin/cxlvm-switches run --kernel vmlinuz --initrd guest.cpio.gz \
	--memory 512M --device "sim,size=$REGION_SIZE" --break hb-decoder \
	--append "$APPEND cxlvm.test=region"

guest no-device $BOOT_LIMIT bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz \
	--memory 512M --append "$APPEND cxlvm.test=region" --trace '*'

plan old --kernel vmlinuz-old --initrd plain.cpio.gz --memory 512M \
	--device "sim,size=$REGION_SIZE"
guest old $BOOT_LIMIT bin/cxlvm run --kernel vmlinuz-old --initrd plain.cpio.gz --memory 512M \
	--device "sim,size=$REGION_SIZE" --append "$APPEND cxlvm.test=plain"

guest log $BOOT_LIMIT bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz --memory 512M \
	--device "sim,size=$REGION_SIZE" --append "$APPEND cxlvm.test=log"

# the same guest in QEMU
echo "PROGRESS guest log-q35"
qemu_ready
mkdir -p out/log-q35
# shellcheck disable=SC2086 # options are words
qemu 512M $Q35_CXL -serial file:/mnt/out/log-q35/console \
	-initrd /mnt/guest.cpio.gz -append "$APPEND cxlvm.test=log" >out/log-q35/monitor 2>&1 || :

guest_to_end_badly hang 40 bin/cxlvm run --kernel vmlinuz --initrd plain.cpio.gz --memory 512M \
	--append "$APPEND cxlvm.test=hang"

guest_to_end_badly panic $BOOT_LIMIT bin/cxlvm run --kernel vmlinuz --initrd plain.cpio.gz --memory 512M \
	--append "$APPEND reboot=t cxlvm.test=panic"

sha256sum vmlinuz | cut -d' ' -f1 >out/vmlinuz.sha256
uname -r >out/host-kernel
