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
# exports fail, which is no "cannot be done"; that of a BAR is only missed, so more than the first
mkdir -p out/feature
echo 'feature 1 5 9' >$debug/cxlvm_lab.0/fail
feature_status=0
bin/cxlvm run --kernel vmlinuz --memory 256M --device vfio:/sys/devices/platform/cxlvm_lab.0 \
	--time-limit 60 >out/feature/monitor 2>&1 </dev/null || feature_status=$?
echo $feature_status >out/feature/status
echo 'feature 4294967295 5' >$debug/cxlvm_lab.0/fail
# a descriptor of the character device, opened by somebody else
guest descriptor $REGION_LIMIT sh -c 'exec 7<>/dev/vfio/devices/vfio0 && exec "$@"' sh \
	bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz --memory 256M \
	--device vfio:fd=7 --append "$APPEND cxlvm.test=region"

# second NAME COMMAND... - a run on a device that another one has: its messages and exit status
second() {
	mkdir -p "out/$1"
	second_name=$1
	shift
	second_status=0
	"$@" run --kernel vmlinuz --memory 256M --device vfio:/sys/devices/platform/cxlvm_lab.0 \
		>"out/$second_name/monitor" 2>&1 </dev/null || second_status=$?
	echo $second_status >"out/$second_name/status"
}

echo "PROGRESS two runs on one device"
mkfifo /tmp/holder.input
# the console is its standard input as well: one that stays open
sh -c 'exec 9<>/tmp/holder.input; exec "$@" <&9' sh bin/cxlvm run --kernel vmlinuz \
	--initrd guest.cpio.gz --memory 256M --device vfio:/sys/devices/platform/cxlvm_lab.0 \
	--append "$APPEND cxlvm.test=region" --time-limit 300 >out/holder 2>&1 &
holder=$!
tries=0
until grep -q '^GUEST region' out/holder || [ $tries = 1000 ]; do
	sleep 0.1
	tries=$((tries + 1))
done
second second bin/cxlvm
echo $holder >out/second/pid
# by a user who sees nothing of the holder
mkdir -p /etc
echo 'user:x:1000:1000::/:/bin/sh' >/etc/passwd
chmod 666 /dev/kvm /dev/iommu /dev/vfio/devices/vfio0
cp bin/cxlvm /tmp/cxlvm-of-user
second second-user start-stop-daemon -S -c user -x /tmp/cxlvm-of-user --
kill -9 $holder
wait $holder 2>/dev/null || :
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
