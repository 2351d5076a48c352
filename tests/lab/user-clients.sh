# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs in the emulated host, beside the server "user" of user-serve.sh: clients are killed in each phase
# of their life, and the next one finds a device that works. Speaks TAP.
set -eu
. ./tap.sh
WORK=/tmp/clients
MEMORY=/tmp/user.memory
LOG=/tmp/user.log
PAGES=65536
mkdir -p $WORK
server=$(cat /tmp/user.pid)

# start APPEND [OPTION...] - a client in the background; sets client
start() {
	append=$1
	shift
	bin/cxlvm run --device user:/tmp/user --time-limit 200 --append "$append" "$@" \
		>$WORK/out 2>$WORK/err </dev/null &
	client=$!
}

payload() {
	start "$@" --kernel guest --memory 128M
}

# await SECONDS COMMAND... - until it succeeds
await() {
	tries=$(($1 * 10))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries != 0 ] || {
			cat $WORK/out $WORK/err
			fail "never: $*"
		}
		sleep 0.1
	done
}

killed() {
	rc=0
	kill -KILL "$client"
	wait "$client" || rc=$?
	want_equal "exit status" 137 "$rc"
}

# word FILE N
word() {
	dd if="$1" bs=8 skip="$2" count=1 2>/dev/null | od -An -v -tx1
}

# passed TEST [WORD...] - a whole life of a client
passed() {
	rc=0
	payload "test=$*"
	wait "$client" || rc=$?
	[ $rc = 0 ] && grep -q '^guest: passed' $WORK/out || {
		cat $WORK/out $WORK/err $LOG
		fail "exit status $rc"
	}
}

# The next client has the registers of a device after reset, its words arrive in the server's file, and
# it is the same server still.
ready() {
	nonce=$(bin/pattern seed)
	passed memory "seed=$nonce stride=1000"
	truncate -s 256M $WORK/wanted
	bin/pattern fill $WORK/wanted "$nonce"
	for page in 0 1 77 32768 65535; do
		want_equal "the word of page $page" "$(word $WORK/wanted $((page * 512)))" \
			"$(word $MEMORY $((page * 512)))"
	done
	rm $WORK/wanted
	passed registers devices=1 ras=1
	kill -0 "$server"
	want_equal "servers" 1 "$(grep -c 'listening on' $LOG)"
}

came() {
	grep -c 'client came' $LOG || :
}

another_came() {
	[ "$(came)" -gt "$before" ]
}

# KVM has counted no exit yet of the only machine there is
before_the_first_instruction() {
	for attempt in 1 2 3 4 5 6 7 8 9 10; do
		before=$(came)
		payload test=halt
		tries=0
		until another_came || [ $tries = 1000 ]; do
			tries=$((tries + 1))
		done
		kill -STOP "$client"
		exits=$(cat /sys/kernel/debug/kvm/exits)
		killed
		echo "attempt $attempt: $exits exits"
		if [ "$exits" = 0 ] && another_came; then
			ready
			return
		fi
	done
	fail "the guest had begun each time"
}

in_the_guests_boot() {
	start 'console=ttyS0 cxlvm.test=plain' --kernel vmlinuz --initrd guest.cpio.gz --memory 256M
	await 100 grep -q 'Linux version' $WORK/out
	killed
	want_no_text "the guest" '^GUEST' $WORK/out
	ready
}

changed() {
	[ "$(word $MEMORY 0)" != "$first" ]
}

in_a_fill() {
	seed=$(bin/pattern seed)
	first=$(word $MEMORY 0)
	payload "test=memory seed=$seed stride=8"
	await 100 changed
	killed
	bin/pattern check $MEMORY "$seed" >$WORK/check || :
	bad=$(sed -n 's/^pages .* bad \([0-9]*\) .*/\1/p' $WORK/check)
	[ "$bad" -gt 0 ] && [ "$bad" -lt $PAGES ] || fail "no part of a fill: $(cat $WORK/check)"
	ready
}

# The server is stopped while it copies: the new number is there at the start, not at the end.
in_a_copy_by_the_engine() {
	payload test=copies
	await 100 grep -q '^guest: waiting' $WORK/out
	for attempt in $(seq 100); do
		sleep 0.1
		kill -STOP "$server"
		sleep 0.1
		first=$(word $MEMORY 0)
		last=$(word $MEMORY $(((32 << 20) / 8 - 1)))
		[ "$first" = "$last" ] || break
		kill -CONT "$server"
	done
	killed
	kill -CONT "$server"
	[ "$first" != "$last" ] || fail "no copy was on its way"
	ready
}

# The server does not answer, so the reset cannot have come to its end: the client waits for 5 seconds.
in_a_reset() {
	payload test=halt --control $WORK/control --trace 'cxl_reset_*'
	await 100 grep -q '^guest: waiting' $WORK/out
	before=$(grep -c cxl_reset_done $WORK/err || :)
	kill -STOP "$server"
	bin/cxlvm ctl $WORK/control reset >$WORK/answer 2>&1 &
	asked=$!
	await 10 grep -q cxl_reset_prepare $WORK/err
	sleep 0.3
	killed
	wait "$asked" || :
	kill -CONT "$server"
	want_equal "resets that were over" "$before" "$(grep -c cxl_reset_done $WORK/err || :)"
	rm -f $WORK/control
	ready
}

# Stores of two CPUs and resets in a row, killed wherever they are.
anywhere() {
	for attempt in $(seq 20); do
		payload test=storm-system --cpus 3
		sleep "$((attempt / 10)).$((attempt % 10))"
		killed
	done
	ready
}

check "vu_client_killed_before_the_first_instruction" before_the_first_instruction
check "vu_client_killed_in_the_guests_boot" in_the_guests_boot
check "vu_client_killed_in_a_fill_of_the_memory" in_a_fill
check "vu_client_killed_in_a_copy_by_the_engine" in_a_copy_by_the_engine
check "vu_client_killed_in_a_reset" in_a_reset
[ -z "${LAB_FULL:-}" ] || check "vu_clients_killed_anywhere_in_stores_and_resets" anywhere
tap_end
