# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs in the emulated host: ./dev bench vfio without a device. Registers, resets and start with the
# lab's CXL device; DMA with an NVMe function behind the IOMMU, as that other device has none.
set -eu
insmod cxlvm_lab.ko generation=5
for device in /sys/bus/pci/devices/*; do
	[ "$(cat "$device/class")" != 0x010802 ] || nvme=${device##*/}
done
echo vfio-pci >"/sys/bus/pci/devices/$nvme/driver_override"
echo "$nvme" >/sys/bus/pci/drivers_probe
echo "the lab's CXL device, generation 5, with an emulated IOMMU (DMA maps pin nothing):"
bin/bench_vfio /sys/devices/platform/cxlvm_lab.0 "$@"
echo "an NVMe function behind the emulated host's IOMMU:"
bin/bench_vfio "$nvme" "$@"
