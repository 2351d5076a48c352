#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Judge the guest whose window has a tail without memory (tail.sh tells it).
#
#   check-tail.sh SHARE-FOLDER
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lab/options.sh
. tests/lab/judge.sh
SHARE=$1
DIR=$SHARE/out/tail
if [ ! -f "$DIR/console" ]; then
	check "the guest whose window has a tail ran" fail "no artifacts in $DIR"
	tap_end
	exit
fi
ONES='ffffffffffffffff ffffffff ffff ff ffffffffffffffff'
PAGES=$SECOND_PAGES

# done_n N - the values of the N-th "access", of ten
done_n() {
	boot 1 | sed -n 's/^DONE *//p' | sed -n "$1p"
}

powered_off() {
	status_is 0
	talk_is_complete
	want_equal "accesses" 10 "$(boot 1 | grep -c '^DONE')"
}

committed() {
	want_equal "control of the decoders of endpoint and host bridge" '600 600' \
		"$(printf '%x ' $((0x$(done_n "$1") & 0xf00)) $((0x$(done_n $(($1 + 1))) & 0xf00)) | xargs)"
}

verdict() {
	want_equal "$1" "$2" "$(cat "$DIR/$1")"
}

memory_before_the_tail() {
	# shellcheck disable=SC2046 # values are words
	set -- $(done_n 4)
	want_equal "values" 2 $#
	[ "$1" != ffffffffffffffff ] && [ "$2" != ffffffffffffffff ] && [ "$1" != "$2" ] || fail "$1 $2"
}

tail_is_ones() {
	want_equal "first and last words, before and after writes" "$ONES $ONES $ONES $ONES" "$(done_n 5)"
}

writes_are_lost() {
	verdict tail "pages $PAGES bad 0 first_bad none"
}

nothing_floods() {
	want_equal "after 10000 writes" ffffffffffffffff "$(done_n 6)"
	[ "$(wc -l <"$DIR/monitor")" -le 40 ] || fail "cxlvm wrote $(wc -l <"$DIR/monitor") lines"
	report 1 dmesg | grep -q . || fail "there is no kernel log"
	[ "$(report 1 dmesg | wc -l)" -le 100 ] || fail "the guest's kernel wrote $(report 1 dmesg | wc -l) lines"
	host_log_is_quiet
}

# all of the memory: what was the tail has what it has, and takes a write
tail_is_memory() {
	# shellcheck disable=SC2046 # values are words
	set -- $(done_n 10)
	want_equal "values" 3 $#
	[ "$1" != ffffffffffffffff ] && [ "$2" != ffffffffffffffff ] && [ "$1" != 0 ] || fail "$1 $2"
	want_equal "what was written" 0 $((0x$3))
	verdict committed "pages $PAGES bad 1 first_bad $((PAGES / 2))"
}

T="tail:"
check "$T powered off, cxlvm ended with 0" powered_off
check "$T the guest commits half of the memory in both decoders" committed 2
check "$T the half that is committed answers" memory_before_the_tail
check "$T behind it the window reads as ones, in each width, before and after writes" tail_is_ones
check "$T writes to it change no page of the memory" writes_are_lost
check "$T 10000 writes to it are not told in any log" nothing_floods
check "$T the guest commits all of the memory in both decoders" committed 8
check "$T the same place is memory then" tail_is_memory
tap_end
