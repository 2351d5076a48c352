#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The guest with the tests (tests/guest) on a device of a server: cxlvm run --device user:SOCKET with
# cxlvm device as the other process, on this machine's /dev/kvm. CXLVM_SERVER: another build of it.
set -eu
. tests/tap.sh
. tests/lib/monitor.sh
F=$WORK/files
SOCKET=$WORK/socket
SERVER=$(realpath "${CXLVM_SERVER:-$CXLVM}")
# checks run in processes of their own, so that the server's number is in a file
stop_server() {
	[ -s "$WORK/pid" ] || return 0
	while kill -KILL "$(cat "$WORK/pid")" 2>/dev/null; do
		sleep 0.05
	done
}
tap_cleanup="stop_server; $tap_cleanup"

# serve [OPTION...] - a server of 256 MiB with its memory in $F/memory, or as the options say
serve() {
	"$SERVER" device --socket "$SOCKET" --size 256M --memory-file "$F/memory" "$@" \
		2>"$WORK/server" &
	echo $! >"$WORK/pid"
	for _ in $(seq 100); do
		! "$CXLVM" plan --device "user:$SOCKET" >"$WORK/plan" 2>&1 || return 0
		sleep 0.05
	done
	fail "no server: $(cat "$WORK/server" "$WORK/plan")"
}

# passed TEST [WORD...] - the guest runs this test, with checks that were all good
passed() {
	words=test=$1
	shift
	[ $# = 0 ] || words="$words $*"
	on_scene "$CXLVM" run --kernel "$F/guest" --memory 128M --append "$words" --time-limit 100 \
		--cpus "${CPUS:-1}" --device "user:$SOCKET"
	[ "$rc" = 0 ] && grep -q '^guest: passed$' "$WORK/out" || {
		grep '^bad' "$WORK/out" || tail -n 5 "$WORK/out"
		cat "$WORK/err" "$WORK/server"
		fail "exit status $rc"
	}
	nothing_left
	no_complaint
}

# of a sanitizer, about the server of this moment
no_complaint() {
	want_no_text "the server" 'Sanitizer|runtime error' "$WORK/server"
}

# a word in each page, each of them found in the server's file from outside
memory_is_the_servers() {
	seed=$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
	passed memory "seed=$seed" stride=1000
	want_equal "pages in the file" "pages 65536 bad 0 first_bad none" \
		"$("$F/pattern" check "$F/memory" "$seed" 1)"
}

storm() {
	CPUS=3
	passed storm-system
	CPUS=1
}

# start_waiting - a guest that waits, in the background; sets pid
start_waiting() {
	"$CXLVM" run --kernel "$F/guest" --memory 128M --append test=halt --time-limit 60 \
		--device "user:$SOCKET" >"$WORK/out" 2>"$WORK/err" </dev/null &
	pid=$!
	for _ in $(seq 200); do
		! grep -q '^guest: waiting' "$WORK/out" || return 0
		sleep 0.05
	done
	fail "the guest does not wait: $(cat "$WORK/err")"
}

# the next client gets a device that works
client_killed() {
	start_waiting
	kill -KILL $pid
	wait $pid || :
	passed registers devices=1 ras=1
	want_text "the server noticed" 'client left' "$WORK/server"
}

server_killed() {
	start_waiting
	stop_server
	for _ in $(seq 100); do
		! grep -q '^event:' "$WORK/err" || break
		sleep 0.05
	done
	want_text "the event" '^event: memory-unavailable device=user0.*closed the connection' "$WORK/err"
	kill -0 $pid || fail "the guest is gone"
	kill -TERM $pid
	rc=0
	wait $pid || rc=$?
	want_equal "exit status" 143 "$rc"
	# what a killed server left does not keep the next one away
	serve
	passed registers devices=1 ras=1
}

# await PATTERN FILE - what the guest or its monitor says
await() {
	for _ in $(seq 400); do
		! grep -q "$1" "$2" || return 0
		sleep 0.05
	done
	cat "$WORK/out" "$WORK/err"
	kill -KILL "$pid"
	fail "no line $1"
}

# One CPU loads, one stores, from before the loss until the machine's reset, which finds a new server.
restarted_under_load() {
	rm -f "$F/keys"
	mkfifo "$F/keys"
	sleep 100 >"$F/keys" &
	keys=$!
	"$CXLVM" run --kernel "$F/guest" --memory 128M --cpus 3 --append test=memory-lost-reset \
		--time-limit 100 --device "user:$SOCKET" >"$WORK/out" 2>"$WORK/err" <"$F/keys" &
	pid=$!
	await '^guest: waiting' "$WORK/out"
	stop_server
	await '^guest: lost' "$WORK/out"
	want_text "the event" '^event: memory-unavailable device=user0.*closed the connection' "$WORK/err"
	serve
	echo >"$F/keys"
	rc=0
	wait $pid || rc=$?
	kill $keys 2>/dev/null || :
	[ $rc = 0 ] && grep -q '^guest: passed' "$WORK/out" || {
		cat "$WORK/out" "$WORK/err" "$WORK/server"
		fail "exit status $rc"
	}
	want_text "the return" '^event: memory-available device=user0' "$WORK/err"
	no_complaint
}

# Device memory that is also a prefetchable 64-bit BAR is larger than all that is below 4 GiB.
large_bar() {
	stop_server
	"$SERVER" device --socket "$SOCKET" --size 16G --expose-memory bar 2>"$WORK/server" &
	echo $! >"$WORK/pid"
	for _ in $(seq 100); do
		! "$CXLVM" plan --json --device "user:$SOCKET" >"$F/plan" 2>"$WORK/plan" || break
		sleep 0.05
	done
	jq -e '[.map[] | select(.type == "bar" and .size == 17179869184)] |
		length == 1 and .[0].resource >= 4294967296 and .[0].resource % 17179869184 == 0' "$F/plan" ||
		fail "$(cat "$F/plan" "$WORK/plan")"
	passed registers devices=1 ras=1
}

# reset_of_machine WANTED-EVENT - and what is said about the device then
reset_of_machine() {
	: >"$WORK/heard"
	before=$(wc -l <"$WORK/err")
	"$CXLVM" ctl "$WORK/machine" reset >"$WORK/answer" 2>&1 || cat "$WORK/answer"
	for _ in $(seq 200); do
		tail -n "+$((before + 1))" "$WORK/err" | grep '^event:' >"$WORK/heard" || :
		! grep -qE "$1" "$WORK/heard" || return 0
		sleep 0.05
	done
	cat "$WORK/heard" "$WORK/server"
	fail "no event $1"
}

resets_done() {
	"$CXLVM" ctl --json "$WORK/device" stats | jq .resets
}

# Faults that the server is told to show: the machine says so, goes on, and has the device again.
faults_on_request() {
	stop_server
	serve --control "$WORK/device"
	"$CXLVM" run --kernel "$F/guest" --memory 128M --append test=forever --time-limit 100 \
		--control "$WORK/machine" --device "user:$SOCKET" >"$WORK/out" 2>"$WORK/err" </dev/null &
	pid=$!
	await '^guest: waiting' "$WORK/out"
	"$CXLVM" ctl "$WORK/device" memory-ready off
	reset_of_machine 'reset-failed device=user0.*media'
	"$CXLVM" ctl "$WORK/device" memory-ready on
	reset_of_machine 'memory-available device=user0'
	"$CXLVM" ctl "$WORK/device" fail-resets 1
	resets=$(resets_done)
	reset_of_machine 'reset-failed device=user0'
	want_equal "resets that were done" "$resets" "$(resets_done)"
	reset_of_machine 'memory-available device=user0'
	kill -0 $pid || fail "the machine is gone"
	want_equal "resets that were done" $((resets + 1)) "$(resets_done)"
	"$CXLVM" ctl "$WORK/machine" stop
	rc=0
	wait $pid || rc=$?
	want_equal "exit status" 0 "$rc"
	no_complaint
}

terminates_cleanly() {
	stop_server
	serve
	kill -TERM "$(cat "$WORK/pid")"
	rc=0
	wait "$(cat "$WORK/pid")" || rc=$?
	want_equal "exit status" 0 "$rc"
	[ ! -e "$SOCKET" ] || fail "the socket is left behind"
	no_complaint
}

if reason=$(have_kvm); then
	sh "$PAYLOAD_TOOL" tests "$F/guest"
	gcc -std=c11 -O2 -o "$F/pattern" lab/tools/pattern.c
	serve
	check "vu1_vu2_a_device_of_a_server_has_the_registers_of_a_cxl_device" \
		passed registers devices=1 ras=1
	check "vu4_the_guests_words_are_in_the_servers_file" memory_is_the_servers
	check "vu_copy_engine_with_interrupts" passed engine
	check "vu_system_resets_in_the_middle_of_stores" storm
	check "vu_a_killed_client_leaves_a_server_that_works" client_killed
	check "vu6_a_killed_server_is_an_event_and_the_guest_lives" server_killed
	check "vu6_a_server_killed_and_started_anew_under_load" restarted_under_load
	check "vu_memory_as_a_bar_above_4_gib" large_bar
	check "vu_memory_that_is_not_ready_and_resets_that_fail" faults_on_request
	check "vu_the_server_ends_with_status_0_and_takes_its_socket_along" terminates_cleanly
else
	skip "guests on devices of a server" "$reason"
fi
tap_end
