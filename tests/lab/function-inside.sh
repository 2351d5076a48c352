# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# In the emulated host: the guest of function.sh.
set -eu
. ./options.sh
. ./guests.sh
function=/sys/bus/pci/devices/0000:01:00.0
debug=/sys/kernel/debug/cxlvm_lab

insmod cxlvm_lab.ko devices=0 generation=5
echo cxlvm_lab_pci >$function/driver_override
echo ${function##*/} >/sys/bus/pci/drivers_probe
mkdir -p out/limit
limit_status=0
bin/cxlvm run --kernel vmlinuz --memory 256M --phys-bits 40 --device \
	vfio:${function##*/},window-base=0x8000000000 --time-limit 60 >out/limit/monitor 2>&1 </dev/null ||
	limit_status=$?
echo $limit_status >out/limit/status
ln -s $debug/${function##*/}/memory memory
GUEST_DISK=function.img
guest function $REGION_LIMIT bin/cxlvm run --kernel vmlinuz --initrd both.cpio.gz --memory 256M \
	--device vfio:${function##*/} --append "$APPEND iomem=relaxed cxlvm.test=nvme" --trace cxl_locked_hdm
cat $debug/dma >out/dma
cat $debug/${function##*/}/counters >out/counters
dmesg >out/dmesg
