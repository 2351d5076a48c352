# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs in the emulated host: devices of its VFIO that misbehave while a guest uses them.
#
#   vfio-trials-inside.sh SIZE ADDRESS      of a range of physical memory that the host does not use
set -eu
. ./options.sh
. ./guests.sh
LAB=/sys/kernel/debug/cxlvm_lab

# the file of the device that takes its memory away: the command of a talk
cat >/tmp/poke <<'EOF'
echo "${3:-1}" >"/sys/kernel/debug/cxlvm_lab/cxlvm_lab.$1/$2"
EOF

# INDEX FILE OFF ON RESET - the memory is taken away while the guest writes, until the device's kernel has
# refused a fault and the monitor has said so, then the command RESET; three times
cat >/tmp/outages <<'EOF'
folder=/sys/kernel/debug/cxlvm_lab/cxlvm_lab.$1
refused() {
	sed -n 's/^fault-refused //p' "$folder/counters"
}
resets() {
	sed -n 's/^device-reset //p' "$folder/counters"
}
told() {
	grep -c '^trace: cxl_map_disable .*reason=0x3' /tmp/guest/monitor
}
for n in 1 2 3; do
	were_refused=$(refused)
	were_told=$(told)
	tries=0
	until [ "$(refused)" -gt "$were_refused" ] && [ "$(told)" -gt "$were_told" ] || [ $tries = 50 ]; do
		echo "$3" >"$folder/$2"
		sleep 0.1
		tries=$((tries + 1))
	done
	echo "refused $(($(refused) - were_refused))"
	echo "told $(($(told) - were_told))"
	echo "${4#* }" >"$folder/${4% *}"
	were_resets=$(resets)
	$5
	echo "resets $(($(resets) - were_resets))"
done
EOF

# trial NAME [INDEX] - a guest on device 0 of the module, and on another, after which the module goes, as
# the host has no memory for the devices of all guests
trial() {
	rm -f "$MEM"
	ln -s "$LAB/cxlvm_lab.0/memory" "$MEM"
	guest "$1" $REGION_LIMIT bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz --memory 256M \
		--device "vfio:/sys/devices/platform/cxlvm_lab.0" \
		${2:+--device "vfio:/sys/devices/platform/cxlvm_lab.$2"} --control /tmp/control \
		--append "$APPEND iomem=relaxed cxlvm.test=region" --trace 'cxl_*'
	cat "$LAB/cxlvm_lab.0/state" >"out/$1/state"
	cat "$LAB/cxlvm_lab.0/counters" >"out/$1/counted"
	rmmod cxlvm_lab
}

for generation in 4 5 6; do
	insmod cxlvm_lab.ko generation=$generation
	trial trials-$generation
done
insmod cxlvm_lab.ko generation=5
echo 'irq-info 1 5' >$LAB/cxlvm_lab.0/fail
echo 'set-irqs 1 5 1000' >$LAB/cxlvm_lab.0/fail
trial calls-5
insmod cxlvm_lab.ko devices=2 generation=6
trial two-6 1
# a device of another size, in a physical range that this host does not use, of a kernel with a quirk
insmod cxlvm_lab.ko generation=6 "size=$1" "memory_at=$2" quirks=reset-again quirk_times=2
cat $LAB/cxlvm_lab.0/quirks >out/quirks
trial machine-6
dmesg >out/dmesg
