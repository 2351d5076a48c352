#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# gcc and clang at each level of optimization: no warning in anything. Speaks TAP; part of
# ./dev test full.
#
#   compilers.sh WORK-FOLDER
set -eu
. tests/tap.sh
work=$1
mkdir -p "$work"

# builds COMPILER LEVEL
builds() {
	rm -rf "${work:?}/$1-$2"
	[ "$1" = gcc ] || set -- "$1" "$2" --native-file "tests/lib/$1.ini"
	compiler=$1
	level=$2
	shift 2
	meson setup "$work/$compiler-$level" -Doptimization="$level" -Dtests_optimized=true \
		-Dwarnings_are_errors=true "$@"
	ninja -C "$work/$compiler-$level" >"$work/log" || {
		grep -E 'warning:|error:' "$work/log" || tail -n 20 "$work/log"
		exit 1
	}
	rm -rf "${work:?}/$compiler-$level"
}

for level in 0 1 2 3; do
	for compiler in gcc clang; do
		check "$compiler -O$level: no warnings" builds "$compiler" "$level"
	done
done
tap_end
