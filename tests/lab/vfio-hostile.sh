#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Hostile answers of a real kernel's VFIO, in all generations of the lab's device: chains that overlap, loop
# and lie, sizes that change, short reads, calls that fail. Each is refused for its cause by a cxlvm with
# ASan and UBSan, and the device is usable afterwards; so it is after a run that is killed in a call.
#
#   vfio-hostile.sh SHARE-FOLDER        with CXLVM_BUILD set to the folder of builds
#
# SHARE-FOLDER is made anew. Speaks TAP.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
share=$1
program=${CXLVM_BUILD:-build}/asan/cli/cxlvm
HOST_LIMIT=1200
GENERATIONS='2 2n 3 4 5 6'

# NAME|FILE|VALUE|OFF|GENERATIONS|MESSAGE: what is written to the device's file and undoes it, where it makes
# a difference, and what is said then. With - as OFF the device stays as it became: the module is loaded anew.
cases() {
	sed 's/|all|/|2 2n 3 4 5 6|/' <<'END'
overlap|hostile|overlap|none|4 5 6|capability (chain goes back from|at) offset [0-9]+ (to|is outside)
outside|hostile|outside|none|all|capability at offset [0-9]+ is outside the answer of [0-9]+ bytes
misplaced|hostile|misplaced|none|all|capability chain goes back from offset [0-9]+ to 4$
huge|hostile|huge|none|all|region 10 of 0x8000000000000000 bytes at 0x[0-9a-f]+ does not fit
endless|hostile|endless|none|all|device info: answer of 4294967295 bytes, not within
chain-loops|quirks|chain-loops|,|all|capability chain goes back from offset
chain-short|quirks|chain-short|,|all|type capability of 12 bytes, 16 needed
register-lies|quirks|register-lies|,|all|the real decoder covers 0x20000000 bytes, the memory region 0x10000000
no-mmap|quirks|no-mmap|,|all|memory region 10 has flags 0xb: read, write and mmap \(0x7\) are needed
reset-fails|quirks|reset-fails|,|all|the device could not be reset: Input/output error
size-changes|quirks|size-changes|-|2 4 5 6|the real decoder covers 0x20000000 bytes now, it was 0x10000000
decoder-lost|quirks|decoder-lost|-|2 4 5 6|the real HDM decoder 0 is not committed
short-1|short_reads|1|0|all|read of 4 bytes at 0x[0-9a-f]+: Input/output error
short-3|short_reads|3|0|all|read of 4 bytes at 0x[0-9a-f]+: Input/output error
open|fail|open 1 5|open 4294967295 5|all|VFIO does not open it: Input/output error
info|fail|info 1 5|info 4294967295 5|all|device info: Input/output error
info-again|fail|info 2 5|info 4294967295 5|all|device info: Input/output error
region-info|fail|region-info 1 12|region-info 4294967295 5|all|info of region 0: Cannot allocate memory
config-read|fail|config-read 1 5|config-read 4294967295 5|all|cannot read BAR 0: Input/output error
config-read-5|fail|config-read 5 5|config-read 4294967295 5|all|cannot read its capabilities: Input/output error
config-read-20|fail|config-read 20 5|config-read 4294967295 5|all|read of 4 bytes at 0x[0-9a-f]+: Input/output error
register-read|fail|register-read 1 5|register-read 4294967295 5|all|read of 4 bytes at 0x[0-9a-f]+: Input/output error
register-read-5|fail|register-read 5 5|register-read 4294967295 5|all|read of 4 bytes at 0x[0-9a-f]+: Input/output error
register-write|fail|register-write 1 5|register-write 4294967295 5|2 2n|writing 0x[0-9a-f]+ to the kernel's decoder at 0x[0-9a-f]+: Input/output error
bar-read|fail|bar-read 1 5|bar-read 4294967295 5|4 5 6|region 0: read of 4 bytes at 0x[0-9a-f]+: Input/output error
reset|fail|reset 1 25|reset 4294967295 5|all|the device could not be reset: Inappropriate ioctl for device
mmap|fail|mmap 1 12|mmap 4294967295 5|all|mapping 0x10000000 bytes of device memory: Cannot allocate memory
END
}

prepare() {
	rm -rf "$share"
	mkdir -p "$share/out" "$share/asan"
	grep -q __asan_init "$program" && grep -q __ubsan_ "$program" ||
		fail "$program has no sanitizers"
	# the emulated host has no libraries: the program brings its own, and what loads them
	cp "$program" "$share/asan/cxlvm"
	ldd "$program" | sed -n 's/^[^/]*\(\/[^ ]*\) .*/\1/p' | while read -r library; do
		cp -L "$library" "$share/asan/"
	done
	loader=$(ldd "$program" | sed -n 's/^[^/]*\/[^ ]*\/\(ld-linux[^ ]*\) .*/\1/p')
	ln -s "$loader" "$share/asan/loader"
	tree=$(sh lab/tree.sh)
	cp "$tree/$(cat "$tree/vmlinuz")" "$share/vmlinuz"
	cp tests/lab/vfio-hostile-inside.sh "$share/"
	cp "$(sh lab/module.sh)" "$share/cxlvm_lab.ko"
	cases >"$share/cases"
}


run_host() {
	status=0
	# the timer check of the host's kernel is a race that a slow emulator can lose
	# shellcheck disable=SC2086 # a list
	sh lab/run.sh --timeout $HOST_LIMIT --append no_timer_check "$share" vfio-hostile-inside.sh $GENERATIONS \
		>"$share/said.log" 2>"$share/run.error" || status=$?
	want_equal "exit status of the emulated host ($(tail -n 3 "$share/run.error"))" 0 $status
}

works() { # GENERATION
	want_equal "exit status" 0 "$(cat "$share/out/$1/good/status")"
}

# refused GENERATION NAME MESSAGE - with one error, and usable afterwards
refused() {
	at=$share/out/$1/$2
	cat "$at/error"
	want_equal "exit status" 1 "$(cat "$at/status")"
	want_text "message" "^cxlvm plan: .*$3" "$at/error"
	want_equal "errors" 1 "$(grep -c '^cxlvm plan: ' "$at/error")"
	want_equal "exit status afterwards ($(cat "$at/again"))" 0 "$(cat "$at/status-again")"
}

# killed_in GENERATION CALL N - by SIGKILL, in the N-th call, from which it did not return before
killed_in() {
	at=$share/out/$1/killed-$2
	cat "$at/error" "$at/calls"
	want_equal "exit status" 137 "$(cat "$at/status")"
	want_equal "calls, and those that the kill ended" "before $3 0 after $3 1" \
		"$(tr '\n' ' ' <"$at/calls" | sed 's/ $//')"
	want_equal "exit status afterwards ($(cat "$at/again"))" 0 "$(cat "$at/status-again")"
}

sanitizers_are_silent() {
	n=$(find "$share/out" -name error | wc -l)
	[ "$n" -gt 100 ] || fail "only $n runs"
	! grep -rnE 'Sanitizer|runtime error' "$share/out" || fail "the reports above"
}

no_complaint() {
	want_text "its messages" 'iommu group' "$share/out/dmesg"
	want_no_text "the host's messages" 'WARNING:|BUG:|Oops:|Call Trace|hung task' "$share/out/dmesg"
}

check "program with sanitizers, its libraries and the module are ready" prepare
progress "lab: hostile answers of six generations in an emulated host"
check "the emulated host ran them" run_host
for generation in $GENERATIONS; do
	check "generation $generation: an honest device is planned with" works "$generation"
	while IFS='|' read -r name _ _ _ where message <&5; do
		case " $where " in
		*" $generation "*)
			check "generation $generation: $name is refused, and what comes after works" \
				refused "$generation" "$name" "$message"
			;;
		esac
	done 5<"$share/cases"
	for call in open mmap set-irqs; do
		check "generation $generation: killed in its first $call, and the next run has the device" \
			killed_in "$generation" $call 1
	done
	check "generation $generation: killed in its third reset, and the next run has the device" \
		killed_in "$generation" reset 3
done
check "the sanitizers had nothing to report" sanitizers_are_silent
check "the host's kernel has no complaint" no_complaint
tap_end
