#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The serial port of guests on this machine's /dev/kvm, which keeps what they send without leaving them:
# nothing is lost, nothing out of order, and the last words are shown.
set -eu
. tests/tap.sh
. tests/lib/monitor.sh
F=$WORK/files
GUEST_LIMIT=30

# said STATUS TEXT - all that the guest said, less what it begins with
said() {
	want_equal "exit status" "$1" "$rc"
	sed '/^filler/d' "$WORK/out" >"$WORK/said"
	printf '%s' "$2" | cmp - "$WORK/said" || {
		head -c 2000 "$WORK/said"
		fail "the guest said something else"
	}
}

registers() {
	guest serial --
	want_equal "exit status" 0 "$rc"
	! grep '^bad' "$WORK/out" || fail "a check failed"
	for line in 'before after' 'out again' 0123456789 'guest: passed'; do
		want_text "a line" "^$line\$" "$WORK/out"
	done
}

fifos() {
	guest serial-fifo lines=400 --
	said 0 "$(for _ in $(seq 1024); do echo 0123456789abcde; done)
guest: passed
"
}

turns() {
	guest serial-turns -- --cpus 3
	said 0 "$(for _ in $(seq 300); do printf abc; done)
guest: passed
"
}

noise_lines() {
	for i in $(seq 0 255); do
		printf 'line: 0x%x ......................................................\n' "$i"
	done
}

# what a KVM that keeps nothing shows is the same, for an exit each
all_of_the_noise() {
	for kept in yes no; do
		preload=$F/count_exits.so
		[ $kept = yes ] || preload="$preload $F/no_capability.so"
		# 162: KVM_CAP_COALESCED_PIO
		on_scene env LD_PRELOAD="$preload" COUNT_EXITS="$F/exits-$kept" NO_CAPABILITY=162 \
			"$CXLVM" run --kernel "$F/guest" --memory 128M --append 'test=noise lines=100'
		said 0 "$(noise_lines)
guest: passed
"
	done
	characters=$(wc -c <"$WORK/said")
	with=$(cat "$F/exits-yes")
	without=$(cat "$F/exits-no")
	echo "# $characters characters: $with exits, $without where KVM keeps nothing"
	[ "$without" -ge "$characters" ] || fail "only $without exits for $characters characters"
	[ "$with" -le $((without / 4)) ] || fail "$with exits, $without without"
}

# nobody reads for a while: the guest waits, and goes on
slow_reader() {
	rc=0
	"$CXLVM" run --kernel "$F/guest" --memory 128M --append 'test=noise lines=500' --time-limit 30 |
		{
			sleep 1
			cat
		} >"$WORK/out" || rc=$?
	want_equal "lines" 1281 "$(wc -l <"$WORK/out")"
	want_text "the last line" '^guest: passed' "$WORK/out"
}

# a reader that never reads does not hold the end
no_reader() {
	mkfifo "$F/fifo"
	sleep 30 <"$F/fifo" &
	sleeper=$!
	rc=0
	timeout 20 "$CXLVM" run --kernel "$F/guest" --memory 128M --append 'test=noise lines=500' \
		--time-limit 2 >"$F/fifo" 2>"$WORK/err" || rc=$?
	kill $sleeper
	want_equal "exit status" 1 "$rc"
	want_text "the message" 'not done after 2 s' "$WORK/err"
}

# last_words STATUS WORD - no end of line, and nothing after
last_words() {
	guest last-words "$2" -- --no-reboot
	said "$1" "last words$3"
}

# the machine goes on, and so does nobody who would have to leave the guest for it
last_words_of_a_busy_guest() {
	: >"$WORK/out"
	"$CXLVM" run --kernel "$F/guest" --memory 128M --append "test=last-words" --time-limit 30 \
		>"$WORK/out" 2>"$WORK/err" </dev/null &
	pid=$!
	for _ in $(seq 50); do
		! grep -q '^last words' "$WORK/out" || break
		sleep 0.1
	done
	kill -TERM $pid
	rc=0
	# what comes now is too late
	cp "$WORK/out" "$F/before"
	wait $pid || rc=$?
	want_equal "exit status" 143 "$rc"
	want_text "while the guest ran" '^last words$' "$F/before"
}

time_limit() {
	rc=0
	"$CXLVM" run --kernel "$F/guest" --memory 128M --append test=last-words --time-limit 1 \
		>"$WORK/out" 2>"$WORK/err" </dev/null || rc=$?
	said 1 "last words"
	want_text "the report" '^console: last words$' "$WORK/err"
}

if reason=$(have_kvm); then
	sh "$PAYLOAD_TOOL" tests "$F/guest"
	gcc -std=c11 -O2 -shared -fPIC -o "$F/no_capability.so" tests/monitor/no_capability.c
	gcc -std=c11 -O2 -shared -fPIC -o "$F/count_exits.so" tests/monitor/count_exits.c
	check "divisor, loopback, transmit interrupt" registers
	check "a FIFO in one instruction is whole" fifos
	check "CPUs that take turns" turns
	check "the same text with and without the capability, with fewer exits" all_of_the_noise
	check "a slow reader loses nothing" slow_reader
	check "a reader that never reads does not hold the time limit" no_reader
	check "last words of a guest that runs on" last_words_of_a_busy_guest
	check "last words before a crash" last_words 1 crash=1 ''
	check "last words before a reset" last_words 0 reset=1 ''
	check "last words before the power-off" last_words 0 off=1 'guest: passed
'
	check "last words are in the report at the time limit" time_limit
else
	skip "the serial port of guests on this machine" "$reason"
fi
tap_end
