#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The tables of 1, 2, 8 and 32 devices as the ACPI compiler of the lab's tree sees them: they
# disassemble, compile again without a warning, and the fields say what was asked for.
#
#   tables.sh BUILD-FOLDER
set -eu
. tests/tap.sh
build=$1
WORK=$(mktemp -d)
tap_cleanup='rm -rf "$WORK"'

# a_iasl N ARG...
a_iasl() {
	folder=$WORK/$1
	shift
	sh lab/in-tree.sh -b "$folder:/mnt/tables" iasl "$@" >"$folder/said" 2>&1 || {
		cat "$folder/said"
		fail "iasl $*"
	}
}

make() {
	mkdir -p "$WORK/$1"
	"$build/tests/interop/tables" "$WORK/$1" "$1" >"$WORK/$1/made" 2>&1 || {
		cat "$WORK/$1/made"
		fail "no tables"
	}
	[ -s "$WORK/$1/cedt.aml" ] && [ -s "$WORK/$1/dsdt.aml" ] || fail "no tables"
}

# round_trip N: both tables
round_trip() {
	make "$1"
	for table in cedt dsdt; do
		a_iasl "$1" -d "/mnt/tables/$table.aml"
		want_no_text "iasl -d $table" 'error|warning|invalid|incorrect|unknown' "$WORK/$1/said"
		want_no_text "$table" 'Invalid|Incorrect checksum|\*\*\*\* ' "$WORK/$1/$table.dsl"
		a_iasl "$1" -p "/mnt/tables/again-$table" "/mnt/tables/$table.dsl"
		want_text "iasl $table" 'Compilation successful. 0 Errors, 0 Warnings' "$WORK/$1/said"
	done
}

# values N NAME - the values of one field, sorted
values() {
	sed -n "s/^.*\] *$2 : //p" "$WORK/$1/cedt.dsl" | sort
}

# distinct N NAME - as many different values as devices
distinct() {
	want_equal "fields \"$2\"" "$1" "$(values "$1" "$2" | wc -l)"
	want_equal "different \"$2\"" "$1" "$(values "$1" "$2" | sort -u | wc -l)"
}

fields() {
	dsl=$WORK/$1/cedt.dsl
	distinct "$1" 'Associated host bridge'
	distinct "$1" 'Register base'
	distinct "$1" 'Window base address'
	distinct "$1" 'First Target'
	# each target is a host bridge
	want_equal "targets" "$(values "$1" 'Associated host bridge')" "$(values "$1" 'First Target')"
	want_equal "sizes" 0000000010000000 "$(values "$1" 'Window size' | sort -u)"
	want_equal "restrictions" 0015 "$(values "$1" 'Restrictions' | sort -u)"
	want_equal "block sizes" 0000000000010000 "$(values "$1" 'Register length' | sort -u)"
	[ "$1" != 1 ] || {
		want_equal "UID" 0000000C "$(values 1 'First Target')"
		want_equal "window" 0000000140000000 "$(values 1 'Window base address')"
		want_equal "block" 0000000100000000 "$(values 1 'Register base')"
	}
	[ -s "$dsl" ]
}

# host bridges in the namespace: function 5 of _DSM returns 0
namespace() {
	dsl=$WORK/$1/dsdt.dsl
	want_equal "ACPI0016" "$1" "$(grep -c '"ACPI0016"' "$dsl")"
	want_equal "_DSM" "$1" "$(grep -c 'Method (_DSM' "$dsl")"
	want_equal "ACPI0017" 1 "$(grep -c '"ACPI0017"' "$dsl")"
	awk '/Method \(_DSM/ { inside = 1 } inside && /== *(0x05|Five)/ { five = 1 }
		five && /Return \((Zero|0x00)\)/ { good++; five = inside = 0 }
		END { print good + 0 }' "$dsl" >"$WORK/$1/kept"
	want_equal "function 5" "$1" "$(cat "$WORK/$1/kept")"
}

# positive control: one byte changed is seen
notices() {
	mkdir -p "$WORK/control"
	cp "$WORK/1/cedt.aml" "$WORK/control"
	printf '\002' | dd of="$WORK/control/cedt.aml" bs=1 seek=72 conv=notrunc 2>/dev/null
	a_iasl control -d /mnt/tables/cedt.aml
	cat "$WORK/control/said" "$WORK/control/cedt.dsl" >"$WORK/control/all"
	want_text "a broken table" 'Incorrect checksum|Invalid|error|warning' "$WORK/control/all"
}

for n in 1 2 8 32; do
	check "tables of $n devices disassemble and compile again without a warning" round_trip $n
	check "acpi6 CEDT of $n devices has a window and a host bridge for each" fields $n
	check "acpi5 $n host bridges keep the configuration of firmware" namespace $n
done
check "a table with one wrong byte is noticed" notices
tap_end
