#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Make payload guests, or point a copy of the smallest one to a window.
#
#   payload.sh build FILE            the smallest guest (needs gcc and objcopy)
#   payload.sh tests FILE            the guest with the tests (tests/guest/*.c)
#   payload.sh patch FILE BASE OUT   OUT is FILE with window base BASE (0x...); works in busybox sh
set -eu
here=$(dirname "$0")

BASE_AT=1548 # 0x400 of setup, 0x200 to the entry, 10 and 2 of the instructions

# image FLAT OUT - put the head of a bzImage in front of a flat file
image() {
	gcc -DPAYLOAD="\"$1\"" -c -o "$2.o" "$here/image.S"
	objcopy -O binary -j .text "$2.o" "$2"
	rm -f "$2.o"
}

build() {
	gcc -c -o "$1.o" "$here/payload.S"
	objcopy -O binary -j .text "$1.o" "$1.flat"
	rm -f "$1.o"
	image "$1.flat" "$1"
	rm -f "$1.flat"
}

# Integer instructions only: a software KVM emulates no others.
tests() {
	mkdir -p "$1.d"
	for source in "$here"/start.S "$here"/*.c; do
		gcc -std=gnu11 -O2 -g -Wall -Wextra -Werror -ffreestanding -fno-pic -fno-pie -mcmodel=large \
			-mno-red-zone -mgeneral-regs-only -fno-stack-protector -fno-asynchronous-unwind-tables \
			-fcf-protection=none -c -o "$1.d/$(basename "$source").o" "$source"
	done
	ld -n -no-pie -z noexecstack --no-warn-rwx-segments -T "$here/guest.ld" -o "$1.d/elf" "$1.d"/*.o
	objcopy -O binary "$1.d/elf" "$1.d/flat"
	image "$1.d/flat" "$1"
	# the same guest as ELF, for the entry that PVH defines
	cp "$1.d/elf" "$1.elf"
	rm -rf "$1.d"
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
tests) tests "$2" ;;
patch) patch "$2" "$3" "$4" ;;
*)
	echo "payload.sh: build FILE, tests FILE, or patch FILE BASE OUT" >&2
	exit 2
	;;
esac
