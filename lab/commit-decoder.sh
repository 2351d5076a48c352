#!/bin/busybox sh
# SPDX-License-Identifier: BSD-3-Clause
# In the emulated host, instead of its firmware: commit and lock HDM decoder 0 of a CXL memory device, for
# SIZE bytes, OFFSET bytes behind the base of the host's first CXL window. The host bridge has one root
# port, so it decodes nothing itself. Prints the decoder then: "BASE SIZE CONTROL".
#
#   commit-decoder.sh 0000:0d:00.0 OFFSET SIZE   before anything drives the device
#   commit-decoder.sh 0000:0d:00.0               only print; a driver has to have the device open, or none
#                                                is bound. With one the kernel needs iomem=relaxed
set -eu
device=/sys/bus/pci/devices/$1

hex() {
	printf '0x%x' $(($1))
}

get() { # ADDRESS
	busybox devmem "$(hex "$1")" 32
}

put() { # ADDRESS VALUE
	busybox devmem "$(hex "$1")" 32 "$(hex "$2")"
}

# base of the first CFMWS (type 1) of the CEDT, whose structures begin at byte 36
window() {
	od -An -v -tu1 -w1 -j36 /sys/firmware/acpi/tables/CEDT | awk '{ b[n++] = $1 }
		END { for (at = 0; at + 16 <= n && b[at + 2] + b[at + 3]; at += b[at + 2] + 256 * b[at + 3])
			if (b[at] == 1) { for (i = 15; i >= 8; i--) printf "%02x", b[at + i]; exit } }'
}

# BAR 0 begins with the component block
read -r bar _ <"$device/resource"
[ -e "$device/driver" ] || echo 1 >"$device/enable"
cm=$((bar + 0x1000))
hdm=0
i=$(($(get $cm) >> 24))
while [ $i -gt 0 ]; do
	entry=$(get $((cm + 4 * i)))
	[ $((entry & 0xffff)) != 5 ] || hdm=$((cm + (entry >> 20)))
	i=$((i - 1))
done
if [ $hdm = 0 ]; then
	echo "$1 has no HDM decoder capability" >&2
	exit 1
fi
if [ $# = 3 ]; then
	base=$((0x$(window) + $2))
	put $((hdm + 0x10)) $((base & 0xf0000000))
	put $((hdm + 0x14)) $((base >> 32))
	put $((hdm + 0x18)) $(($3 & 0xf0000000))
	put $((hdm + 0x1c)) $(($3 >> 32))
	put $((hdm + 0x04)) 2
	put $((hdm + 0x20)) 0x300
fi
echo "$(hex "$(get $((hdm + 0x14))) << 32 | $(get $((hdm + 0x10)))")" \
	"$(hex "$(get $((hdm + 0x1c))) << 32 | $(get $((hdm + 0x18)))")" "$(get $((hdm + 0x20)))"
