#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every check of the kernel's CXL selftests, and some of the lab's own, by a program of ours against the
# kernel module of the lab's device: all generations in one emulated host, without hardware and on an
# emulated PCI function.
#
#   selftest.sh SHARE-FOLDER
#
# SHARE-FOLDER is made anew. Speaks TAP; the last tests look at what the kernel said.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lab/share.sh
share=$1
HOST_LIMIT=600
# physical memory that the emulated host leaves alone
RANGE=0x40000000

prepare() {
	rm -rf "$share"
	mkdir -p "$share/out"
	share_selftest "$share"
	cp tests/lab/selftest-inside.sh "$share/"
	cp "$(sh lab/module.sh)" "$share/cxlvm_lab.ko"
}

run_host() {
	sh lab/run.sh --timeout $HOST_LIMIT --function --append "memmap=256M\$$RANGE" "$share" selftest-inside.sh $RANGE >"$share/said.log" \
		2>"$share/run.error" || {
		cat "$share/run.error"
		fail "the emulated host failed"
	}
}

all_generations_came_to_an_end() {
	want_equal "generations" "2 2n 3 4 5 6 range function-2 function-2n function-3 function-4 function-5 function-6" "$(sed -n 's/^ENDED //p' "$share/said.log" | tr '\n' ' ' |
		sed 's/ $//')"
}

# what the module itself says when it is loaded is not a complaint
kernel_has_no_complaint() {
	want_text "its messages" 'iommu group' "$share/out/dmesg"
	! grep -nE 'cut here|WARNING|BUG|Oops|Call Trace|general protection|hung task|lockdep' \
		"$share/out/dmesg" || fail "the kernel's messages are in $share/out/dmesg"
}

maps_and_unmaps_are_even() {
	want_equal "unmaps" "$(sed -n 's/^maps //p' "$share/out/dma")" \
		"$(sed -n 's/^unmaps //p' "$share/out/dma")"
	want_text "their number" '^maps [1-9]' "$share/out/dma"
}

module_was_loaded_and_gone() {
	want_text "load" '^LOADED$' "$share/said.log"
	want_equal "bad parameters refused" 2 "$(grep -c '^REFUSED$' "$share/said.log")"
	want_text "the last one's memory" '^backing range$' "$share/out/backing"
	want_text "unload" '^UNLOADED$' "$share/said.log"
}

progress "lab: six devices, one of each generation, in an emulated host"
check "selftest program and module are ready" prepare
check "the emulated host ran them" run_host
tap_take "$share/said.log"
check "all generations came to an end" all_generations_came_to_an_end
check "the kernel has no complaint" kernel_has_no_complaint
check "maps and unmaps are even, by the kernel's count" maps_and_unmaps_are_even
check "the module goes as it came" module_was_loaded_and_gone
tap_end
