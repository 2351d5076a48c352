#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Run fuzz targets for some time each. Speaks TAP; run by ./dev fuzz.
#
#   run.sh BUILD-FOLDER WORK-FOLDER SECONDS TARGET...
#
# WORK-FOLDER/TARGET keeps what was found interesting, for the next run; an input that broke
# something is WORK-FOLDER/TARGET-crash-...: give it to BUILD-FOLDER/fuzz/fuzz_TARGET as argument.
set -eu
. tests/tap.sh
build=$1
work=$2
seconds=$3
shift 3
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:abort_on_error=0
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

# seeds TARGET - the committed ones, and for images those that a guest would read
seeds() {
	mkdir -p "$work/$1"
	[ ! -d "fuzz/seeds/$1" ] || cp -n "fuzz/seeds/$1"/* "$work/$1/"
	[ "$1" != machine ] || cp tests/machines/*.machine "$work/machine/"
	[ "$1" = decode ] || return 0
	for generation in 2 5; do
		mkdir -p "$work/images"
		"$build/tests/unit/images" "$work/images" $((256 << 20)) $generation
		for image in "$work/images"/*; do
			cp "$image" "$work/decode/${image##*/}-$generation"
		done
	done
}

# fuzz TARGET
fuzz() {
	dictionary=fuzz/$1.dict
	[ -f "$dictionary" ] || dictionary=$build/fuzz/registers.dict
	seeds "$1"
	close=0
	# 1: without what list prints, 2: without what the parser of options says
	[ "$1" != machine ] || close=1
	[ "$1" != options ] || close=2
	"$build/fuzz/fuzz_$1" -close_fd_mask="$close" -max_total_time="$seconds" -dict="$dictionary" -timeout=10 \
		-rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$work/$1-" "$work/$1" \
		>"$work/$1.log" 2>&1 || {
		grep -vE '^#[0-9]+\s' "$work/$1.log" | tail -n 38
		exit 1
	}
}

for target in "$@"; do
	progress "$target: $seconds s"
	check "$target: nothing found in $seconds s" fuzz "$target"
	note "$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$target.log") inputs," \
		"$(sed -n 's/.* cov: \([0-9]*\).*/\1/p' "$work/$target.log" | tail -n 1) edges"
done
tap_end
