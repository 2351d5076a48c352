#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The payload guest on this machine's /dev/kvm.
set -eu
. tests/tap.sh
. tests/lib/plan.sh
. tests/lib/monitor.sh

plans_agree() {
	for generation in 2 2n 3 4 5 6; do
		want_equal "window base with generation $generation" "$BASE" "$("$CXLVM" plan --json \
			--memory 128M --device "sim,size=256M,generation=$generation" | plan_window 0 base)"
	done
}

switches_only_where_asked() {
	refused 2 '--break' -- "$CXLVM" run --kernel "$WORK/files/payload" --device sim,size=256M \
		--break no-program
}

# A guest that writes the letter A to the serial port for ever, and a pipe that nobody reads:
#   mov $0x41, %al; mov $0x3f8, %dx; 1: out %al, (%dx); jmp 1b
stalled_reader() {
	cp "$WORK/files/payload" "$WORK/files/noisy"
	setup=$(od -An -tu1 -j 497 -N 1 "$WORK/files/noisy")
	printf '\260\101\146\272\370\003\356\353\375' | dd of="$WORK/files/noisy" bs=1 \
		seek=$(((setup + 1) * 512 + 512)) conv=notrunc 2>"$WORK/files/dd"
	rm -f "$WORK/files/status"
	{
		status=0
		timeout -s KILL 20 "$CXLVM" run --kernel "$WORK/files/noisy" --memory 128M \
			--time-limit 2 2>"$WORK/files/noisy.err" || status=$?
		echo "$status" >"$WORK/files/status"
	} | for _ in $(seq 250); do
		# reads nothing, and stays until the run is over
		[ ! -s "$WORK/files/status" ] || break
		sleep 0.1
	done
	want_equal "exit status" 1 "$(cat "$WORK/files/status")"
	grep -q 'time-limit' "$WORK/files/noisy.err" || fail "no word about the limit"
}

BASE=$("$CXLVM" plan --json --memory 128M --device sim,size=256M | plan_window 0 base)
sh "$PAYLOAD_TOOL" build "$WORK/files/payload"
gcc -std=c11 -O2 -o "$WORK/files/pattern" lab/tools/pattern.c
check "the window base is the same for all generations" plans_agree
check "an ordinary build has no --break" switches_only_where_asked
if reason=$(have_kvm); then
	# its four tests; they bring their own numbers
	env CXLVM="$CXLVM_SWITCHES" BASE="$BASE" PAYLOAD="$WORK/files/payload" \
		PATTERN="$WORK/files/pattern" WORK="$WORK/store" \
		sh tests/guest/store.sh >"$WORK/store.tap" || :
	check "the payload tests ran" grep -q '^1\.\.4$' "$WORK/store.tap"
	sed '/^1\.\./d' "$WORK/store.tap" | sed 's/ok [0-9]* -/ok -/'
	tap_n=$((tap_n + 4))
	check "output that nobody reads does not defeat --time-limit" stalled_reader
else
	skip "payload guests on this machine" "$reason; they also run in the lab"
fi
tap_end
