#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What KVM refuses while a guest runs: the guest goes on without, and is told.
set -eu
. tests/tap.sh
. tests/lib/monitor.sh
F=$WORK/files

# refusing REQUEST AT COUNT TEST [WORD...] - run that test of the guest on one device; sets rc
refusing() {
	fail_request=$1 fail_at=$2 fail_count=$3
	shift 3
	on_scene env LD_PRELOAD="$F/fail_ioctl.so" FAIL_REQUEST="$fail_request" FAIL_AT="$fail_at" \
		FAIL_COUNT="$fail_count" "$CXLVM" run --kernel "$F/guest" --memory 128M --cpus 3 \
		--append "test=$*" --device sim,size=256M --time-limit 50
}

# the first slot is the RAM's
slot_at_the_start() {
	refused 1 'sim0: KVM does not map device memory at 0x[0-9a-f]+, size 0x10000000: .*memory' \
		'free memory' -- env LD_PRELOAD="$F/fail_ioctl.so" FAIL_REQUEST=slot FAIL_AT=2 \
		FAIL_COUNT=1 "$CXLVM" run --kernel "$F/guest" --memory 128M --device sim,size=256M
}

# the first of five resets ends without memory, the next one has it back
slot_at_a_reset() {
	refusing slot 3 1 "$1"
	want_equal "exit status" 0 "$rc"
	want_text "an event" '^event: reset-failed device=sim0 .*KVM does not map device memory' \
		"$WORK/err"
	want_equal "resets with memory" 4 "$(grep -c '^event: memory-available' "$WORK/err")"
	nothing_left
}

# its function: the guest sees that nothing is committed, and loads ones
no_memory_is_seen() {
	slot_at_a_reset storm-flr
	want_text "the guest" 'bad: decoder committed and locked: wanted 0x700, found 0x0$' "$WORK/out"
	want_text "the guest" 'bad: memory answers: wanted 0xfeedbeef, found 0xf{16}$' "$WORK/out"
	want_equal "what else it found" 5 "$(grep -c '^bad: ' "$WORK/out")"
}

# memory that the guest must not reach any more, and does
slot_that_stays() {
	refusing no-slot 1 1 storm-flr
	want_equal "exit status" 1 "$rc"
	want_text "the message" 'KVM does not unmap device memory' "$WORK/err"
}

# the route of the first vector: it is pending, until the guest writes to it again
route() {
	refusing routing 1 1 masks patience=1000
	want_text "an event" \
		'^event: warning device=sim0 .*KVM does not deliver interrupt vector 0 of 4' "$WORK/err"
	want_text "the guest" 'bad: unmasked: it comes: wanted 0x1, found 0x0' "$WORK/out"
	# the one before, which was pending
	want_text "the guest" 'bad: function unmasked: it comes: wanted 0x2, found 0x1' "$WORK/out"
	want_text "the guest" 'good: the new message comes' "$WORK/out"
}

if reason=$(have_kvm); then
	sh "$PAYLOAD_TOOL" tests "$F/guest"
	gcc -std=c11 -O2 -Wall -shared -fPIC -o "$F/fail_ioctl.so" tests/monitor/fail_ioctl.c
	check "p9_a_memory_slot_refused_at_the_start" slot_at_the_start
	check "p3_a_memory_slot_refused_at_a_function_reset_is_retried" no_memory_is_seen
	check "p3_a_memory_slot_refused_at_a_bus_reset_is_retried" slot_at_a_reset storm-bus
	check "p3_a_memory_slot_refused_at_a_cxl_reset_is_retried" slot_at_a_reset storm-cxl
	check "rst2_a_memory_slot_that_is_not_taken_away_ends_the_run" slot_that_stays
	check "a route that KVM refuses is said and retried" route
else
	skip "what KVM refuses" "$reason"
fi
tap_end
