# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# The guest with the tests (made by payload.sh tests) under another KVM than this machine's: what it
# finds out from the inside. tests/monitor/guests.sh has more. Works in busybox sh; speaks TAP.
#
# Environment: CXLVM, GUEST (the guest), WORK (a folder)
set -eu
. "$(dirname "$0")/tap.sh"
mkdir -p "$WORK"
tap_cleanup='rm -rf "$WORK"'
ONE='--device sim,size=256M'
TWO="$ONE --device sim,size=512M"

# passed OPTIONS TEST [WORD...] - it ends well, with checks that were all good
passed() {
	options=$1
	shift
	rc=0
	# shellcheck disable=SC2086 # options are words
	"$CXLVM" run --kernel "$GUEST" --memory 128M --append "test=$*" --time-limit 100 $options \
		>"$WORK/out" 2>"$WORK/err" </dev/null || rc=$?
	[ $rc = 0 ] && grep -q '^guest: passed' "$WORK/out" || {
		grep '^bad' "$WORK/out" || tail -n 5 "$WORK/out"
		cat "$WORK/err"
		fail "exit status $rc"
	}
}

for generation in 2 3 4 5 6; do
	ras=1
	[ $generation -ge 4 ] || ras=0
	check "registers, generation $generation" passed "$ONE,generation=$generation" registers \
		devices=1 ras=$ras
done
check "registers of two devices" passed "$TWO" registers devices=2 ras=1
check "a word in each page of the memory" passed "$ONE" memory seed=5eed stride=1000
check "memory enable off and on" passed "$ONE" memory-enable
check "registers move with their BAR, memory does not" passed "$ONE" bar
check "policy guest: the guest programs both decoders" passed \
	'--device sim,size=512M,decoder=guest' decoder
check "copies with an interrupt each way" passed "$TWO" engine seed=c0ffee
check "wrong commands end with their error" passed "$ONE" engine-errors memory=8000000
check "masks and pending bits of MSI-X" passed "$ONE" masks
check "MSI-X after resets of function and bus" passed "$ONE" reset-msix
check "the port after a reset of the machine" passed "$ONE" reset-port
for reset in flr bus cxl system; do
	check "resets while two CPUs store: $reset" passed "$ONE --cpus 3" storm-$reset
done
tap_end
