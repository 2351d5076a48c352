# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs in the emulated host: devices of its VFIO that misbehave while a guest uses them.
set -eu
. ./options.sh
. ./guests.sh
LAB=/sys/kernel/debug/cxlvm_lab

insmod cxlvm_lab.ko devices=6 generation=4,5,6,5,6,5

# the file of the device that takes its memory away: the command of a talk
cat >/tmp/poke <<'EOF'
echo "${3:-1}" >"/sys/kernel/debug/cxlvm_lab/cxlvm_lab.$1/$2"
EOF

trial() { # NAME INDEX [SECOND]
	rm -f "$MEM"
	ln -s "$LAB/cxlvm_lab.$2/memory" "$MEM"
	guest "$1" $REGION_LIMIT bin/cxlvm run --kernel vmlinuz --initrd guest.cpio.gz --memory 256M \
		--device "vfio:/sys/devices/platform/cxlvm_lab.$2" \
		${3:+--device "vfio:/sys/devices/platform/cxlvm_lab.$3"} --control /tmp/control \
		--append "$APPEND iomem=relaxed cxlvm.test=region" --trace 'cxl_*'
	cat "$LAB/cxlvm_lab.$2/state" >"out/$1/state"
}

trial space-4 0
trial space-5 1
trial gate-6 2
trial resets-5 3
trial machine-6 4
echo 'irq-info 1 5' >$LAB/cxlvm_lab.5/fail
echo 'set-irqs 1 5 1000' >$LAB/cxlvm_lab.5/fail
trial calls-5 5
# the memory of the others is needed
rmmod cxlvm_lab
insmod cxlvm_lab.ko devices=2 generation=6,6
trial two-6 0 1
rmmod cxlvm_lab
dmesg >out/dmesg
