# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# In the emulated host: cxlvm list and check, while what is broken gets mended with what check says.
# What they print goes into files of out/, numbers behind "STATUS" say how check ended.
X=/tmp/cxlvm
cp cxlvm $X
chmod 755 $X
mkdir -p /etc
echo 'nobody:x:65534:65534::/:/bin/sh' >/etc/passwd
DEBUG=/sys/kernel/debug/cxlvm_lab

# try NAME ARG... - check, as JSON
try() {
	name=$1
	shift
	rc=0
	$X check --json "$@" >"out/$name" 2>&1 || rc=$?
	echo "STATUS $name $rc"
}

# as_nobody NAME ARG...
as_nobody() {
	name=$1
	shift
	rc=0
	su -s /bin/sh nobody -c "$X check --json $*" >"out/$name" 2>&1 || rc=$?
	echo "STATUS $name $rc"
}

# hint NAME - what check says to do about the first broken link, as root
hint() {
	link=$(sed -n 's/^  "first_broken": "\(.*\)",$/\1/p' "out/$1")
	sed -n "/\"link\": \"$link\"/,/}/s/^ *\"hint\": \"as root: \(.*\)\"$/\1/p" "out/$1"
}

for function in /sys/bus/pci/devices/*; do
	[ "$(cat "$function/class")" != 0x010802 ] || N=${function##*/}
done
echo "FUNCTION $N"
ls /sys/bus/pci/devices | wc -l >out/functions
$X list --json >out/list-unbound

try unbound --open "$N"
hint unbound >out/bind
sh out/bind
try bound "$N"
G=$(basename "$(readlink "/sys/bus/pci/devices/$N/iommu_group")")
sh -c "exec 7<>/dev/vfio/$G; exec sleep 1000" &
holder=$!
sleep 1
echo "HOLDER $holder"
try held --open "$N"
kill $holder
wait $holder

# another user: KVM for all here, then the commands
chmod 666 /dev/kvm
as_nobody nobody-access "$N"
hint nobody-access | sed 's/, or .*//' >out/chown
sh out/chown
as_nobody nobody-memlock --memory 64M "$N"
(
	ulimit -l 131072
	as_nobody nobody-ready --memory 64M "$N"
)

insmod cxlvm_lab.ko devices=6 generation=2,2n,3,4,5,6
for n in 0 1 2 3 4 5; do
	try "generation-$n" --open --capture "out/generation-$n.machine" "cxlvm_lab.$n"
	echo "OPENS $(sed -n 's/^open //p' "$DEBUG/cxlvm_lab.$n/counters")"
done
try looked-at cxlvm_lab.4
echo "OPENS $(sed -n 's/^open //p' "$DEBUG/cxlvm_lab.4/counters")"
echo no-mmap >$DEBUG/cxlvm_lab.4/quirks
try no-mmap --open cxlvm_lab.4
echo chain-loops >$DEBUG/cxlvm_lab.5/quirks
try chain-loops --open cxlvm_lab.5

$X list --json >out/list
$X list --capture out/machine
$X list --json --sysfs out/machine >out/list-captured
try nowhere --open --capture /nowhere/x cxlvm_lab.3
try live "$N"
try captured "$N" --sysfs out/machine
dmesg >out/dmesg
