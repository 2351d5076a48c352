#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Two functions of one IOMMU group, which have MSI and no MSI-X, in one guest: its stock AHCI driver
# reads and writes a disk. In an emulated host with AMD's IOMMU, whose addresses have a hole above
# 4 GiB: a window there is refused.
#
#   group.sh SHARE-FOLDER        with CXLVM_BUILD set to the folder of builds
#
# SHARE-FOLDER is made anew. Speaks TAP.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lab/options.sh
. tests/lab/judge.sh
. tests/lab/share.sh
. tests/lab/host.sh
share=$1
build=${CXLVM_BUILD:-build}
HOST_LIMIT=900
DISK_PAGES=4096
good="pages $DISK_PAGES bad 0 first_bad none"
DIR=$share/out/group

# the host's timer check is a race that a slow emulator can lose
SHARE_HOST_APPEND='no_timer_check'
SHARE_HOST_QEMU='-device amd-iommu,dma-remap=on -device pcie-root-port,id=p1,chassis=1,slot=1
	-drive if=none,id=nd,file=null-co://,file.size=64M,format=raw
	-device nvme,drive=nd,serial=lab,bus=p1,cmb_size_mb=256,legacy-cmb=on
	-device ich9-ahci,id=ahci,addr=10.0,multifunction=on
	-drive if=none,id=sd,file=/mnt/share/disk.img,format=raw -device ide-hd,drive=sd,bus=ahci.0
	-device edu,addr=10.1'

prepare() {
	share_make "$share" "$build"
	cp tests/lab/group-inside.sh "$share/"
	sh lab/guest/mkguest.sh "$share/ahci.cpio.gz" --ahci
	ours=$("$share/bin/pattern" seed)
	theirs=$("$share/bin/pattern" seed)
	head -c $((DISK_PAGES * 4096)) /dev/zero >"$share/disk.img"
	"$share/bin/pattern" fill "$share/disk.img" "$ours"
	cp "$share/disk.img" "$share/disk.img.first"
	echo "$theirs" >"$share/theirs"
	{
		printf '%s\n' 'expect WAIT seed2' "send $ours" 'expect CHECK' 'expect WAIT seed1' \
			"send $theirs" "expect FILLED $theirs"
		for then in reboot poweroff; do
			printf '%s\n' 'expect WAIT next' "send $then"
			[ $then = poweroff ] || printf '%s\n' 'expect WAIT seed2' "send $theirs" \
				'expect CHECK' 'expect WAIT seed1' 'send '
		done
	} >"$share/talk/group.talk"
}

share_a_group() {
	want_text "group of the first function" '^[0-9]+$' "$share/out/group.0000:00:10.0"
	want_equal "group of the second function" "$(cat "$share/out/group.0000:00:10.0")" \
		"$(cat "$share/out/group.0000:00:10.1")"
}

disk_is_read_and_written() {
	status_is 0
	want_equal "comparisons in the guest" 2 "$(tr -d '\r' <"$DIR/console" | grep -cx "CHECK $good")"
	want_equal "the disk" "$good" \
		"$("$share/bin/pattern" check "$share/disk.img" "$(cat "$share/theirs")")"
}

# in both boots
interrupts_came() {
	tr -d '\r' <"$DIR/console" | grep '^INTERRUPT .*PCI-MSI[^X].*ahci' >"$share/interrupts" ||
		fail "no MSI of the AHCI controller"
	want_equal "boots" 2 "$(grep -c . "$share/interrupts")"
	while read -r _ _ count _; do
		[ "$count" -gt 0 ] || fail "no interrupt came"
	done <"$share/interrupts"
}

both_are_there() {
	tr -d '\r' <"$DIR/console" >"$share/console"
	want_text "AHCI controller" '^PCI .* 0x8086 0x2922 ' "$share/console"
	want_text "the other function" '^PCI .* 0x1234 0x11e8 ' "$share/console"
}

hole_is_refused() {
	want_text "reserved" '0x000000fd00000000 0x000000ffffffffff' "$share/out/reserved"
	hole=$share/out/hole
	cat "$hole/monitor"
	want_equal "exit status" 1 "$(cat "$hole/status")"
	want_text "message" '^cxlvm plan: vfio0: device memory at 0xfd00000000-0xfd0fffffff is in none of the [0-9]+ usable I/O address ranges' \
		"$hole/monitor"
	want_text "hint" '^  hint: .*base' "$hole/monitor"
	for beside in below above; do
		want_equal "exit status $beside" 0 "$(cat "$share/out/$beside/status")"
	done
}

check "guest, programs and disk are ready" prepare
check "the emulated host ran them" run_host group-inside.sh
check "the two functions are in one group" share_a_group
check "both are in the guest" both_are_there
check "its AHCI driver reads and writes the disk by DMA, over a reboot" disk_is_read_and_written
check "MSI of a function without MSI-X reaches the guest" interrupts_came
check "a window over the IOMMU's reserved addresses is refused, with the numbers (WIN-3)" hole_is_refused
check "the host has no complaint" host_has_no_complaint
tap_end
