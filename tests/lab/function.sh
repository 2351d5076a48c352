#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# An unmodified guest uses a PCI function that the lab's driver offers as a CXL device: its disk, by the
# NVMe driver of the distribution; then that driver leaves it, the guest's CXL core builds a region, and
# its memory is used. In an emulated host of its own, whose IOMMU takes addresses of 39 bits.
#
#   function.sh SHARE-FOLDER        with CXLVM_BUILD set to the folder of builds
#
# SHARE-FOLDER is made anew. Speaks TAP.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lib/plan.sh
. tests/lab/options.sh
. tests/lab/share.sh
. tests/lab/talk.sh
share=$1
build=${CXLVM_BUILD:-build}
DIR=$share/out/function
HOST_LIMIT=900
good="pages $REGION_PAGES bad 0 first_bad none"
good_disk="pages 16384 bad 0 first_bad none"

# where the power management capability of the emulated NVMe function has its control register
PMCSR=64

prepare() {
	share_make "$share" "$build"
	"$build/default/cli/cxlvm" plan --json --memory 256M --device sim,size=256M >"$share/plan.json"
	window=$(printf %x "$(plan_window 0 base <"$share/plan.json")")
	pmcsr=$(sum "$(sum "$(at "$share/plan.json" ecam 0)" 100000)" $PMCSR)
	cp tests/lab/function-inside.sh "$share/"
	sh lab/guest/mkguest.sh "$share/nvme.cpio.gz" --nvme
	# the kernel unpacks one behind the other
	cat "$share/nvme.cpio.gz" "$share/guest.cpio.gz" >"$share/both.cpio.gz"
	for seed in disk disk_of_guest guest ours; do
		"$share/bin/pattern" seed >"$share/talk/seed.$seed"
	done
	truncate -s 64M "$share/function.img"
	"$share/bin/pattern" fill "$share/function.img" "$(seed disk)"
	cp "$share/function.img" "$share/function.img.first"
	cat >"$share/talk/function.talk" <<-END
		expect GUEST nvme
		expect WAIT seed2
		run echo PROGRESS the guest reads its disk >>/tmp/progress
		send $(seed disk)
		expect CHECK
		expect WAIT seed1
		send $(seed disk_of_guest)
		expect FILLED $(seed disk_of_guest)
		expect WAIT next
		run echo PROGRESS the NVMe driver leaves the function, the CXL core builds a region >>/tmp/progress
		send region
		expect WAIT seed1
		send $(seed guest)
		expect FILLED $(seed guest)
		expect WAIT seed2
		run echo PROGRESS the memory of the function is compared and filled anew >>/tmp/progress
		run bin/pattern check memory $(seed guest) >/tmp/guest/filled || :
		run bin/pattern fill memory $(seed ours)
		send $(seed ours)
		expect CHECK
		$(tell DONE access R8 "$window" r2 "$pmcsr")
		$(tell DONE access w2 "$pmcsr" 3 R8 "$window" r2 "$pmcsr")
		$(tell DONE access w2 "$pmcsr" 0 R8 "$window" r2 "$pmcsr")
		expect WAIT next
		send poweroff
	END
}

seed() {
	cat "$share/talk/seed.$1"
}

tell_progress() {
	while read -r word text; do
		progress "lab: $word $text"
	done
}

run_host() {
	SHARE_HOST_OPTIONS=--function
	SHARE_HOST_QEMU='-global intel-iommu.aw-bits=39'
	share_run_host "$share" $HOST_LIMIT tell_progress function-inside.sh >&4 || {
		cat "$share/run.error"
		fail "the emulated host failed"
	}
}

guest_says() {
	tr -d '\r\000' <"$DIR/console"
}

powered_off() {
	want_equal "exit status" 0 "$(cat "$DIR/status")"
}

limit_is_refused() {
	limit=$share/out/limit
	cat "$limit/monitor"
	want_equal "exit status" 1 "$(cat "$limit/status")"
	want_text "message" '^cxlvm run: vfio0: device memory at 0x8000000000-0x800fffffff is in none of the [0-9] usable I/O address ranges .*0x0-0xfedfffff.*0xfef00000-0x7fffffffff' \
		"$limit/monitor"
	want_text "hint" '^  hint: .*base' "$limit/monitor"
}

disk_is_read_and_written() {
	want_equal "the disk as the guest reads it" "CHECK $good_disk" \
		"$(guest_says | grep -m 1 '^CHECK')"
	want_equal "the disk as the guest left it" "$good_disk" \
		"$("$share/bin/pattern" check "$share/function.img" "$(seed disk_of_guest)")"
}

interrupts_came() {
	count=$(guest_says | awk '/^INTERRUPT.*nvme0q[1-9]/ { for (i = 3; $i ~ /^[0-9]+$/; i++) n += $i }
		END { print n + 0 }')
	[ "$count" -gt 0 ] || fail "no interrupt of a queue was counted"
}

memory_is_a_region() {
	want_equal "what the guest wrote, in the function's memory" "$good" "$(cat "$DIR/filled")"
	want_equal "what was written there, as the guest reads it" "CHECK $good" \
		"$(guest_says | grep '^CHECK' | tail -n 1)"
}

# in D3hot ones, and back in D0 as it was
low_power_by_the_guest() {
	guest_says | sed -n 's/^DONE *//p' >"$share/looks"
	cat "$share/looks"
	there=$(sed -n '1s/ .*//p' "$share/looks")
	[ "$there" != ffffffffffffffff ] || fail "the memory was never there"
	want_equal "memory, and the power state" "$there 0 ffffffffffffffff 3 $there 0" \
		"$(while read -r memory state; do
			echo "$memory $((0x$state & 3))"
		done <"$share/looks" | tr '\n' ' ' | sed 's/ $//')"
}

host_has_no_complaint() {
	want_text "its messages" 'cxlvm_lab_pci' "$share/out/dmesg"
	! grep -nE 'cut here|WARNING|BUG:|Oops|Call Trace|DMAR:.*fault' "$share/out/dmesg" ||
		fail "the host's messages are in $share/out/dmesg"
	want_equal "unmaps" "$(sed -n 's/^maps //p' "$share/out/dma")" \
		"$(sed -n 's/^unmaps //p' "$share/out/dma")"
	# neither RAM nor device memory nor BARs, by address
	want_text "maps" '^maps [1-9]' "$share/out/dma"
	want_text "refused" '^refused 0$' "$share/out/dma"
}

check "guest, programs and seeds are ready" prepare
exec 4>&1
check "the emulated host ran the guest" run_host
check "memory above what the IOMMU takes is refused, with both numbers (WIN-3)" limit_is_refused
check "the guest powered off" powered_off
check "its NVMe driver reads and writes the disk by DMA" disk_is_read_and_written
check "the function's interrupts reach the guest" interrupts_came
check "the function's memory is a region of the guest" memory_is_a_region
check "the guest puts the function into D3hot: ones, and in D0 memory as it was" low_power_by_the_guest
check "the host has no complaint, and nothing is left mapped" host_has_no_complaint
tap_end
