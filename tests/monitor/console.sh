#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The console on a terminal: what is typed gets to the guest, Ctrl-A x and signals end the run, and
# the terminal is as it was.
set -eu
. tests/tap.sh
. tests/lib/monitor.sh
F=$WORK/files

# typed STATUS KEYS... -- COMMAND... - the keys, when the guest waits
typed() {
	status=$1
	shift
	rc=0
	timeout 30 "$F/terminal" 'guest: waiting' "$@" >"$WORK/out" 2>&1 || rc=$?
	[ $rc = "$status" ] || cat "$WORK/out"
	want_equal "exit status" "$status" $rc
	want_text "the terminal" '^terminal: restored' "$WORK/out"
}

# got BYTES - by the guest
got() {
	want_equal "bytes" "$1" "$(sed -n 's/^got: \(0x[0-9a-f]*\).*/\1/p' "$WORK/out" | xargs)"
}

# run TEST - the command, for typed
RUN="$CXLVM run --kernel $F/guest --memory 128M --time-limit 20 --append"

keys() {
	# shellcheck disable=SC2086 # a command
	typed 0 "$(printf '\003\032\034')" "$(printf '\001\001')" "$(printf '\001y')" q -- $RUN test=echo
	got '0x3 0x1a 0x1c 0x1 0x79 0x71'
}

# $1: a guest that is busy, sleeps, does not read
way_out() {
	# shellcheck disable=SC2086 # a command
	typed 130 abc "$(printf '\001')" x -- $RUN "test=$1"
	want_text "the message" 'stopped from the console' "$WORK/out"
}

# $1: signal, $2: its number
signals() {
	# shellcheck disable=SC2086 # a command
	typed $((128 + $2)) -- sh -c "(sleep 2; kill -$1 \$\$) & exec $RUN test=forever"
	want_text "the message" 'stopped by signal' "$WORK/out"
}

# the keys are typed while another job has the terminal
background() {
	typed 0 "$(printf 'a\nq_')" "$(printf '\n_')" -- sh -c "set -m; $RUN test=echo & sleep 2; fg %1"
	got '0x61 0xa 0x71'
}

gcc -std=gnu11 -O2 -Wall -o "$F/terminal" tests/monitor/terminal.c -lutil
if reason=$(have_kvm); then
	sh "$PAYLOAD_TOOL" tests "$F/guest"
	check "keys get to the guest, Ctrl-C too" keys
	for guest in forever halt; do
		check "Ctrl-A x ends a guest that reads nothing ($guest)" way_out $guest
	done
	check "SIGINT from outside ends the run" signals INT 2
	check "SIGTERM from outside ends the run" signals TERM 15
	check "a job in the background gets its keys when it is back" background
else
	skip "the console on a terminal" "$reason"
fi
tap_end
