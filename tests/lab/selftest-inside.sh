# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# In the emulated host: the selftest program on one device of each generation, on one whose memory
# is a physical range that the host does not use, and on a PCI function.
#
#   selftest-inside.sh ADDRESS-OF-THE-RANGE
DEBUG=/sys/kernel/debug/cxlvm_lab
GENERATIONS='2 2n 3 4 5 6'

# refused for what it asks, and nothing of it stays
insmod cxlvm_lab.ko generation=7 2>/dev/null || echo REFUSED
insmod cxlvm_lab.ko devices=6 "generation=$(echo $GENERATIONS | tr ' ' ,)" && echo LOADED
n=0
for generation in $GENERATIONS; do
	./selftest /sys/devices/platform/cxlvm_lab.$n "$generation" $DEBUG/cxlvm_lab.$n &&
		echo "ENDED $generation"
	n=$((n + 1))
done
cat $DEBUG/dma >out/dma
rmmod cxlvm_lab && echo UNLOADED
# memory in use is refused, too
insmod cxlvm_lab.ko memory_at=0x10000000 2>/dev/null || echo REFUSED
insmod cxlvm_lab.ko generation=6 "memory_at=$1"
./selftest /sys/devices/platform/cxlvm_lab.0 6 $DEBUG/cxlvm_lab.0 "generation 6 in a range" &&
	echo "ENDED range"
grep backing $DEBUG/cxlvm_lab.0/state >out/backing
rmmod cxlvm_lab
function=/sys/bus/pci/devices/0000:01:00.0
echo cxlvm_lab_pci >$function/driver_override
for generation in $GENERATIONS; do
	insmod cxlvm_lab.ko devices=0 generation=$generation
	echo ${function##*/} >/sys/bus/pci/drivers_probe
	./selftest $function $generation $DEBUG/${function##*/} "function, generation $generation" &&
		echo "ENDED function-$generation"
	rmmod cxlvm_lab
done
dmesg >out/dmesg
