#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The payload guest stores to the window base: is it in the device's memory?
# With --break no-program the same look must find nothing. Works in busybox sh; speaks TAP.
#
# Environment: CXLVM (a build with test switches), PAYLOAD (made by payload.sh build), BASE (window
# base by cxlvm plan), PATTERN (lab/tools/pattern), WORK (a folder with 300 MB of room)
set -eu
here=$(dirname "$0")
if [ -f "$here/tap.sh" ]; then
	. "$here/tap.sh"
else
	. "$here/../tap.sh"
fi
mkdir -p "$WORK"
tap_cleanup='rm -rf "$WORK"'
MEMORY=$WORK/memory
PAGE=4096

# first_page - of the memory, as it is now
first_page() {
	head -c $PAGE "$MEMORY"
}

# looks_like PAGES-LINE - the memory compared page by page with what it was filled with
looks_like() {
	"$PATTERN" check "$MEMORY" "$SEED" >"$WORK/compared" || :
	want_equal "memory against what it was before" "$1" "$(cat "$WORK/compared")"
}

# run GENERATION [OPTION...] - a memory full of a new pattern, one run; it must end through the
# debug exit
run() {
	generation=$1
	shift
	SEED=$("$PATTERN" seed)
	rm -f "$MEMORY"
	truncate -s 256M "$MEMORY"
	"$PATTERN" fill "$MEMORY" "$SEED"
	first_page >"$WORK/before"
	looks_like "pages 65536 bad 0 first_bad none"
	rc=0
	"$CXLVM" run --kernel "$WORK/patched" --memory 128M \
		--device "sim,size=256M,generation=$generation,memory-file=$MEMORY" \
		--time-limit 60 "$@" || rc=$?
	want_equal "exit status of cxlvm run $*" 0 "$rc"
}

# kept BYTES - apart from the first BYTES the memory is as the resets of this generation leave it:
# cleared by the kernel's, or as it was before
kept() {
	if [ "$generation" = 5 ]; then
		truncate -s 256M "$WORK/zeros"
		want_equal "bytes that are not 0" "$1" "$(cmp -l "$MEMORY" "$WORK/zeros" | wc -l)"
	elif [ "$1" = 0 ]; then
		looks_like "pages 65536 bad 0 first_bad none"
	else
		looks_like "pages 65536 bad 1 first_bad 0"
		first_page | tail -c +$(($1 + 1)) >"$WORK/rest"
		tail -c +$(($1 + 1)) "$WORK/before" | cmp - "$WORK/rest"
	fi
}

# what the guest stored, and nothing else
stored() {
	want_equal "the first bytes" 'PAYLOAD!' "$(head -c 8 "$MEMORY" | tr '\000' 0)"
	kept 8
}

store_is_there() {
	run "$1"
	stored
}

# the same look must fail
nothing_without_program() {
	run "$1" --break no-program
	set +e
	(
		set -e
		stored
	) >"$WORK/look" 2>&1
	rc=$?
	set -e
	[ $rc != 0 ] || fail "the store is there although no decoder was programmed"
	kept 0
}

sh "$here/payload.sh" patch "$PAYLOAD" "$BASE" "$WORK/patched"
for generation in 5 2; do
	check "generation $generation: the first store is in the device memory" \
		store_is_there $generation
	check "generation $generation: with --break no-program it is not" \
		nothing_without_program $generation
done
tap_end
