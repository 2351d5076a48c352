# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# In the emulated host: the guest of group.sh, and what its IOMMU does not take.
set -eu
. ./options.sh
. ./guests.sh
nvme=0000:01:00.0
ahci=0000:00:10.0
edu=0000:00:10.1
pci=/sys/bus/pci/devices

# AMD's remapping of interrupts is not emulated far enough for Linux to use it
echo 1 >/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts
for device in $ahci $edu $nvme; do
	basename "$(readlink -f $pci/$device/iommu_group)" >"out/group.$device"
done
cat "/sys/kernel/iommu_groups/$(cat out/group.$nvme)/reserved_regions" >out/reserved

# window NAME BASE - opens the device and places its window there
window() {
	mkdir -p "out/$1"
	window_status=0
	bin/cxlvm plan --memory 256M --phys-bits 41 --device "vfio:$nvme,window-base=$2" \
		>"out/$1/monitor" 2>&1 </dev/null || window_status=$?
	echo $window_status >"out/$1/status"
}

bind() { # DRIVER DEVICE
	echo "$1" >"$pci/$2/driver_override"
	echo "$2" >/sys/bus/pci/drivers_probe
}

insmod cxlvm_lab.ko devices=0 generation=5
bind cxlvm_lab_pci $nvme
bind vfio-pci $ahci
window hole 0xfd00000000
window below 0xfcf0000000
window above 0x10000000000
bind vfio-pci $edu
GUEST_DISK=disk.img
guest group $REGION_LIMIT bin/cxlvm run --kernel vmlinuz --initrd ahci.cpio.gz --memory 256M \
	--device vfio:$ahci --device vfio:$edu --append "$APPEND cxlvm.test=ahci"
dmesg >out/dmesg
