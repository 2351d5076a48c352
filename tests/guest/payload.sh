#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Make the payload guest, or point a copy of it to a window.
#
#   payload.sh build FILE            assemble (needs gcc and objcopy)
#   payload.sh patch FILE BASE OUT   OUT is FILE with window base BASE (0x...); works in busybox sh
set -eu

BASE_AT=1548 # 0x400 of setup, 0x200 to the entry, 10 and 2 of the instructions

build() {
	here=$(dirname "$0")
	gcc -c -o "$1.o" "$here/payload.S"
	objcopy -O binary -j .text "$1.o" "$1"
	rm -f "$1.o"
}

# le64 NUMBER - eight bytes, lowest first
le64() {
	le=$(($1))
	for _ in 1 2 3 4 5 6 7 8; do
		# shellcheck disable=SC2059 # an octal escape
		printf "\\$(printf '%03o' $((le & 255)))"
		le=$((le >> 8))
	done
}

patch() {
	found=$(dd if="$1" bs=1 skip=$((BASE_AT - 2)) count=10 2>/dev/null | od -An -v -tx1 | tr -d ' \n')
	if [ "$found" != 48a38877665544332211 ]; then
		echo "payload.sh: $1 has $found where the store should be" >&2
		exit 1
	fi
	cp "$1" "$3"
	le64 "$2" | dd of="$3" bs=1 seek=$BASE_AT conv=notrunc 2>/dev/null
}

case ${1:-} in
build) build "$2" ;;
patch) patch "$2" "$3" "$4" ;;
*)
	echo "payload.sh: build FILE, or patch FILE BASE OUT" >&2
	exit 2
	;;
esac
