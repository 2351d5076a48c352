# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# In the emulated host with iommufd: the selftest program by character devices, then guests of
# cxlvm run on both forms of the lab's device.
set -eu
. ./options.sh
. ./guests.sh
debug=/sys/kernel/debug/cxlvm_lab
function=/sys/bus/pci/devices/0000:01:00.0

uname -r >out/host-kernel
insmod cxlvm_lab.ko devices=3 generation=4,5,6
n=0
for generation in 4 5 6; do
	./selftest --iommufd /sys/devices/platform/cxlvm_lab.$n $generation $debug/cxlvm_lab.$n \
		"iommufd, generation $generation" && echo "ENDED $generation"
	n=$((n + 1))
done
rmmod cxlvm_lab

insmod cxlvm_lab.ko generation=5
ln -s $debug/cxlvm_lab.0/memory memory
guest region $REGION_LIMIT bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz --memory 256M \
	--device vfio:/sys/devices/platform/cxlvm_lab.0 --append "$APPEND cxlvm.test=region" \
	--trace 'cxl_dma*'
# the memory is not exported, which is no "cannot be done"
mkdir -p out/feature
echo 'feature 1 5' >$debug/cxlvm_lab.0/fail
feature_status=0
bin/cxlvm run --kernel vmlinuz --memory 256M --device vfio:/sys/devices/platform/cxlvm_lab.0 \
	--time-limit 60 >out/feature/monitor 2>&1 </dev/null || feature_status=$?
echo $feature_status >out/feature/status
echo 'feature 4294967295 5' >$debug/cxlvm_lab.0/fail
# a descriptor of the character device, opened by somebody else
guest descriptor $REGION_LIMIT sh -c 'exec 7<>/dev/vfio/devices/vfio0 && exec "$@"' sh \
	bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz --memory 256M \
	--device vfio:fd=7 --append "$APPEND cxlvm.test=region"
rmmod cxlvm_lab
rm memory

echo cxlvm_lab_pci >$function/driver_override
for generation in 4 5 6; do
	insmod cxlvm_lab.ko devices=0 generation=$generation
	echo ${function##*/} >/sys/bus/pci/drivers_probe
	./selftest --iommufd $function $generation $debug/${function##*/} \
		"iommufd, function, generation $generation" && echo "ENDED function-$generation"
	[ $generation = 4 ] || guest function-$generation $REGION_LIMIT bin/cxlvm run \
		--kernel vmlinuz --initrd both.cpio.gz --memory 256M \
		--device vfio:${function##*/},require-dma=on \
		--append "$APPEND cxlvm.test=nvme" --trace 'cxl_dma*'
	rmmod cxlvm_lab
done
dmesg >out/dmesg
