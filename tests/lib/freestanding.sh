#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The rooms that also go into a kernel compile without a C library, and need nothing from outside
# but memcpy, memset and memcmp.
#
#   freestanding.sh WORK-FOLDER
set -eu
. tests/tap.sh
work=$1
mkdir -p "$work"

ROOMS='regs decoder device kernel_shape'
CC=${CC:-gcc}

sources() {
	# printing is a hosted sibling
	find "src/$1" -name '*.c' ! -name '*print*.c' | sort
}

compile_room() {
	rm -rf "${work:?}/$1"
	mkdir -p "$work/$1"
	[ -n "$(sources "$1")" ] || fail "no sources in src/$1"
	for source in $(sources "$1"); do
		$CC -std=gnu11 -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib \
			-fno-stack-protector -fno-pic -Iinclude -Isrc \
			-c -o "$work/$1/$(basename "$source" .c).o" "$source"
	done
}

undefined_symbols() {
	ld -r -o "$work/all.o" $(for room in $ROOMS; do echo "$work/$room"/*.o; done)
	nm -u "$work/all.o" | awk '{ print $NF }' | sort -u >"$work/undefined"
	! grep -vxE 'memcpy|memset|memcmp' "$work/undefined" ||
		fail "the symbols above are not defined in the freestanding rooms"
}

only_freestanding_headers() {
	for room in $ROOMS; do
		! grep -nE '^#include <(stdio|stdlib|unistd|sys/|fcntl|assert)' \
			$(sources "$room") || fail "hosted headers in src/$room"
	done
}

for room in $ROOMS; do
	check "src/$room compiles freestanding" compile_room "$room"
done
check "undefined symbols are only memcpy, memset, memcmp" undefined_symbols
check "no hosted headers are included" only_freestanding_headers
tap_end
