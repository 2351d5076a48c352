#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Guests on devices of a real kernel's VFIO, in an emulated host with an IOMMU: the lab's device in two
# generations, an NVMe function, runs that are killed, and devices that cannot be used.
#
#   vfio.sh SHARE-FOLDER        with CXLVM_BUILD set to the folder of builds
#
# SHARE-FOLDER is made anew. Speaks TAP. The region guests are judged by check-region.sh.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lab/options.sh
. tests/lab/judge.sh
. tests/lab/share.sh
. tests/lab/host.sh
share=$1
build=${CXLVM_BUILD:-build}
HOST_LIMIT=1200
DISK_PAGES=4096

SHARE_HOST_APPEND=$SHARE_NVME_APPEND
SHARE_HOST_QEMU=$SHARE_NVME_QEMU

prepare() {
	share_make "$share" "$build"
	cp tests/lab/vfio-inside.sh tests/lab/vfio-region.sh "$share/"
	sh lab/guest/mkguest.sh "$share/nvme.cpio.gz" --nvme
	share_talk_region "$share" vfio-5 flr
	share_talk_region "$share" vfio-2 flr
	printf '%s\n' 'expect GUEST region' 'expect WAIT seed1' 'send ' 'expect WAIT seed2' 'send ' \
		'expect WAIT next' 'send poweroff' >"$share/talk/after-kills.talk"
	# the disk holds our pattern first, then the guest's
	ours=$("$share/bin/pattern" seed)
	theirs=$("$share/bin/pattern" seed)
	head -c $((DISK_PAGES * 4096)) /dev/zero >"$share/disk.img"
	"$share/bin/pattern" fill "$share/disk.img" "$ours"
	cp "$share/disk.img" "$share/disk.img.first"
	echo "$theirs" >"$share/theirs"
	{
		printf '%s\n' 'expect WAIT seed2' "send $ours" 'expect CHECK' 'expect WAIT seed1' \
			"send $theirs" "expect FILLED $theirs" 'expect WAIT next' 'send flr' \
			'expect RESET 0'
		for then in reboot poweroff; do
			printf '%s\n' 'expect WAIT seed2' "send $theirs" 'expect CHECK' \
				'expect WAIT seed1' 'send ' 'expect WAIT next' "send $then"
		done
	} >"$share/talk/nvme.talk"
}

at() {
	DIR=$share/out/$1
}

of() { # NAME COMMAND
	at "$1"
	$2
}

# refused NAME TEXT HINT - by name, with what to do, and status 1
refused() {
	at "$1"
	cat "$DIR/monitor"
	want_equal "exit status" 1 "$(cat "$DIR/status")"
	want_text "message" "^cxlvm run: .*$2" "$DIR/monitor"
	want_text "hint" "^  hint: .*$3" "$DIR/monitor"
}

reached() {
	at "$1"
	[ "$(cat "$DIR/reached")" -gt 0 ] || {
		cat "$DIR/log"
		fail "the run did not get that far"
	}
}

killed_while_it_writes() {
	reached kill-use
	want_text "its log" '^FILLING' "$DIR/log"
	want_equal "what was cleared is written again" yes "$(cat "$DIR/written")"
}

usable_after_kills() {
	at after-kills
	status_is 0
}

names_the_holder() {
	refused two-runs "cxlvm_lab.0 \\(IOMMU group [0-9]*\\) is in use by process $(cat \
		"$share/out/two-runs/pid") \\(cxlvm\\)" 'end that process'
}

nvme_disk() {
	at nvme
	status_is 0
	want_equal "comparisons in the guest" 3 "$(tr -d '\r' <"$DIR/console" |
		grep -cx "CHECK pages $DISK_PAGES bad 0 first_bad none")"
	want_equal "the disk" "pages $DISK_PAGES bad 0 first_bad none" \
		"$("$share/bin/pattern" check "$share/disk.img" "$(cat "$share/theirs")")"
}

nvme_interrupts() {
	at nvme
	tr -d '\r' <"$DIR/console" | grep '^INTERRUPT .*PCI-MSIX.*nvme0q1' >"$share/interrupts" ||
		fail "no MSI-X vector of the queue"
	while read -r _ _ count _; do
		[ "$count" -gt 0 ] || fail "no interrupt came"
	done <"$share/interrupts"
}

# the function has a pin, which is told once and which the guest reads as 0
nvme_pin() {
	at nvme
	want_equal "the pin of the function" 01 "$(cat "$share/out/nvme-pin")"
	want_equal "the pin in the guest" 00 "$(boot 1 | sed -n 's/^CONFIG 0000:01:00.0 //p' | head -n 1 |
		base64 -d | od -An -v -tx1 -j 61 -N 1 | tr -d ' ')"
	want_equal "messages" 1 "$(grep -c '^event: warning device=vfio0 INTx of the device is not given to the guest, MSI-X is' \
		"$DIR/monitor")"
}

check "guests, disk and seeds are ready" prepare
check "the emulated host ran them" run_host vfio-inside.sh
for name in vfio-5 vfio-2; do
	check "$name: DMA maps and unmaps are even, by the kernel's count (DMA-4)" of $name maps_are_even
	check "$name: device memory is in the I/O address space before and after the CPU's (DMA-5)" \
		of $name dma_in_order
done
check "killed after the device was opened" reached kill-open
check "killed with device memory mapped" reached kill-mapped
check "killed while the guest boots" reached kill-boot
check "killed while the guest writes device memory" killed_while_it_writes
check "after each, the next run has the device" usable_after_kills
check "a second run is told who has the device" names_the_holder
check "no such device" refused no-device 'there is no PCI device 0000:99:00.0' 'lspci'
check "not bound: the message names the driver that is missing" refused not-bound \
	"$(cat "$share/out/nvme-address" 2>/dev/null) is bound to no driver" 'driver_override'
check "not bound: the command of the hint binds it" want_text "driver" 'drivers/vfio-pci$' \
	"$share/out/nvme-driver"
check "memlock too low: the number that is needed, and the command" refused memlock \
	'locked memory: 262144 KiB are needed for DMA, the limit is 64 KiB' 'ulimit -l 263168'
check "no permission: the file and its group" refused permission \
	'no permission to open /dev/vfio/[0-9]* \(IOMMU group [0-9]*\), which is of 0:0, mode 0600' \
	'chown 1000'
check "NVMe function: a stock driver reads and writes by DMA, over reset and reboot" nvme_disk
check "NVMe function: MSI-X vectors arrive" nvme_interrupts
check "NVMe function: no INTx, and one message about it" nvme_pin
check "no DMA fault and no complaint of the host's kernel" host_has_no_complaint
tap_end
