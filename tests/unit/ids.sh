#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Each requirement that must have a test has one, and the list of them would notice if not.
set -eu
. tests/tap.sh
WORK=$(mktemp -d)
tap_cleanup='rm -rf "$WORK"'

each_has_one() {
	sh tests/lib/ids.sh >"$WORK/out" || {
		grep -B1 MISSING "$WORK/out"
		fail "see the lines above"
	}
	want_text "what is printed" '^RST1 ' "$WORK/out"
	want_text "what is printed" '^    reset: rst1_after_100_resets' "$WORK/out"
}

# one test renamed: its id, and the row that needs it, are missed
notices() {
	cp -r tests "$WORK/tests"
	find "$WORK/tests" -name 'test_*.c' -exec sed -i 's/reg7_/walk_/g' {} +
	! sh tests/lib/ids.sh "$WORK/tests" >"$WORK/out" || fail "reg7 is not missed"
	want_text "the id" 'MISSING: no test has reg7 in its name' "$WORK/out"
	want_text "the row" 'MISSING: no test of REG7' "$WORK/out"
	want_text "the last line" ' 2 missing$' "$WORK/out"
}

check "each requirement that must have a test has one" each_has_one
check "a requirement without a test is noticed" notices
tap_end
