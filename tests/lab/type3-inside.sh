# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# In the emulated host: the guests of type3.sh.
#
#   type3-inside.sh FUNCTION OFFSET SIZE GENERATION...
set -eu
. ./options.sh
. ./guests.sh
address=$1
offset=$2
size=$3
shift 3
function=/sys/bus/pci/devices/$address
debug=/sys/kernel/debug/cxlvm_lab

bind() { # GENERATION
	insmod cxlvm_lab.ko devices=0 "generation=$1"
	[ -e $function/driver ] || echo "$address" >/sys/bus/pci/drivers_probe
}

# committed NAME WHEN - how often the driver has committed the decoder again until now
committed() {
	dmesg | grep -c 'committed again' >"out/again-$1-$2" || :
}

mkdir /outside
mount -t 9p -o trans=virtio,version=9p2000.L,cache=none outside /outside
bin/cxlvm check "$address" >out/check 2>&1 || :
echo cxlvm_lab_pci >$function/driver_override
# firmware has done nothing yet
insmod cxlvm_lab.ko devices=0
[ -e $function/driver ] || echo no driver >out/uncommitted
rmmod cxlvm_lab
sh commit-decoder.sh "$address" "$offset" "$size" >out/firmware
for generation in "$@"; do
	name=type3-$generation
	bind "$generation"
	plan "$name" --memory 512M --device "vfio:$address"
	echo 0 >$debug/dma
	committed "$name" before
	guest "$name" $REGION_LIMIT bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz \
		--memory 512M --device "vfio:$address" --trace 'cxl_*' \
		--append "$APPEND iomem=relaxed cxlvm.test=region cxlvm.id=8086:0d93"
	committed "$name" after
	cp $debug/dma "out/$name/dma"
	rmmod cxlvm_lab
	# as firmware left it
	sh commit-decoder.sh "$address" >"out/unbound-$name"
done
for generation in "$@"; do
	echo "PROGRESS selftest generation $generation"
	bind "$generation"
	./selftest $function "$generation" "$debug/$address" \
		"CXL memory device, generation $generation" >"out/selftest-$generation" &&
		echo "$generation" >>out/selftests-ended
	rmmod cxlvm_lab
done
dmesg >out/dmesg
