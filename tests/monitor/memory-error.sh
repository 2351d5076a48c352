#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Memory that is taken away from a guest that uses it: the file behind it is cut short, the mapping
# allows no access any more, a page has a memory error.
set -eu
. tests/tap.sh
. tests/lib/monitor.sh
F=$WORK/files
SOCKET=$WORK/socket
tap_cleanup="kill_all; $tap_cleanup"

# kill_all - what is still running after a test that failed
kill_all() {
	for file in "$WORK/pid" "$WORK/server-pid" "$F/keys-pid"; do
		[ ! -s "$file" ] || kill -KILL "$(cat "$file")" 2>/dev/null || :
		rm -f "$file"
	done
}

# start [OPTION...] - the guest, until its CPUs use the memory; what it waits for comes through $F/keys
start() {
	rm -f "$F/keys" "$F/trigger" "$WORK/out"
	mkfifo "$F/keys"
	sleep 60 >"$F/keys" 2>"$F/sleep" &
	echo $! >"$F/keys-pid"
	"$@" run --kernel "$F/guest" --memory 128M --cpus 3 --append "test=memory-lost user=${USER_RING:-1}" \
		--time-limit 50 $OPTIONS >"$WORK/out" 2>"$WORK/err" <"$F/keys" &
	pid=$!
	echo $pid >"$WORK/pid"
	await '^guest: waiting' "$WORK/out"
}

# await PATTERN FILE
await() {
	for _ in $(seq 200); do
		! grep -qs "$1" "$2" || return 0
		sleep 0.05
	done
	cat "$WORK/out" "$WORK/err"
	kill_all
	fail "no line $1"
}

# broken HOW MAPPING - a monitor that finds it so when $F/trigger is there
broken() {
	start env LD_PRELOAD="$F/break_memory.so" BREAK_TRIGGER="$F/trigger" BREAK_HOW="$1" \
		BREAK_MAPPING="$2" BREAK_OFFSET=0x5000 "$CXLVM"
	touch "$F/trigger"
	for _ in $(seq 200); do
		[ -e "$F/trigger" ] || return 0
		sleep 0.02
	done
	fail "nothing broke"
}

# ended - its exit status
ended() {
	rc=0
	wait "$pid" || rc=$?
	: >"$WORK/pid"
	kill "$(cat "$F/keys-pid")"
}

# lost_and_found PATTERN - the memory is lost, with an event; after a reset it is there again
lost_and_found() {
	await '^guest: lost' "$WORK/out"
	want_text "the event" "^event: memory-unavailable device=$1" "$WORK/err"
	echo >"$F/keys"
	ended
	[ $rc = 0 ] && grep -q '^guest: passed' "$WORK/out" || {
		grep '^bad' "$WORK/out" || tail -n 5 "$WORK/out"
		cat "$WORK/err"
		fail "exit status $rc"
	}
	want_text "it is back" '^event: memory-available' "$WORK/err"
	want_no_text "the other device" 'unavailable device=sim1' "$WORK/err"
}

# stopped PATTERN - the guest cannot go on
stopped() {
	ended
	want_equal "exit status" 1 $rc
	want_text "the message" "$1" "$WORK/err"
	want_text "registers of the CPU" '^registers: rip' "$WORK/err"
}

short_file() {
	OPTIONS="--device sim,size=256M,generation=$1,memory-file=$F/memory --device sim,size=256M"
	start "$CXLVM"
	truncate -s 4096 "$F/memory"
	await '^guest: lost' "$WORK/out"
	truncate -s 256M "$F/memory"
	lost_and_found 'sim0 .*cut short: 4096 bytes instead of 268435456'
	rm "$F/memory"
}

short_file_of_a_server() {
	OPTIONS="--device user:$SOCKET"
	"$CXLVM" device --socket "$SOCKET" --size 256M --memory-file "$F/memory" 2>"$WORK/server" &
	echo $! >"$WORK/server-pid"
	for _ in $(seq 100); do
		! [ -S "$SOCKET" ] || break
		sleep 0.05
	done
	start "$CXLVM"
	truncate -s 4096 "$F/memory"
	await '^guest: lost' "$WORK/out"
	want_text "the event" '^event: memory-unavailable device=user0 .*cut the file of the device memory short' \
		"$WORK/err"
	kill -TERM "$pid"
	ended
	want_equal "exit status" 143 $rc
	kill "$(cat "$WORK/server-pid")"
	: >"$WORK/server-pid"
	rm "$F/memory"
}

poison() {
	OPTIONS='--device sim,size=256M'
	window=$("$CXLVM" plan --json --memory 128M --cpus 3 $OPTIONS |
		jq '.map[] | select(.type == "cxl-window").resource')
	broken poison memfd:cxl-device-memory
	lost_and_found "sim0 .*memory error .* guest address $(printf '0x%x' $((window + 0x5000)))\$"
}

poison_of_ram() {
	OPTIONS='--device sim,size=256M'
	broken poison size:8000000
	stopped 'memory error in guest RAM, at guest address 0x5000'
}

own_access() {
	OPTIONS="--device sim,size=256M --control $WORK/control"
	broken own size:8000000
	timeout 20 "$CXLVM" ctl "$WORK/control" reset sim0 flr || :
	ended
	want_equal "exit status" 135 $rc
}

revoked() {
	OPTIONS='--device sim,size=256M'
	broken revoke memfd:cxl-device-memory
	stopped 'memory that does not answer'
}

if reason=$(have_kvm); then
	sh "$PAYLOAD_TOOL" tests "$F/guest"
	gcc -std=gnu11 -O2 -Wall -shared -fPIC -o "$F/break_memory.so" tests/monitor/break_memory.c
	for generation in 2 5; do
		check "map5_a_file_that_is_cut_short_generation_$generation" short_file $generation
	done
	USER_RING=0
	check "map5_an_instruction_that_kvm_emulates_finds_it_too" short_file 5
	USER_RING=1
	check "map5_vu_a_file_of_a_server_that_is_cut_short" short_file_of_a_server
	check "map5_no_progress_ends_the_run_with_registers" revoked
	check "map6_a_memory_error_takes_the_memory_until_a_reset" poison
	check "map6_a_memory_error_in_ram_ends_the_run" poison_of_ram
	check "map6_a_memory_error_of_the_monitors_own_access_ends_it" own_access
else
	skip "memory that is taken away" "$reason"
fi
tap_end
