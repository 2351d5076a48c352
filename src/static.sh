#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Make a static library of one object, in which all hidden symbols are local.
#
#   static.sh INPUT OUTPUT WORK-FOLDER OBJCOPY AR COMPILER...
set -eu
input=$1
output=$2
work=$3
objcopy=$4
ar=$5
shift 5

mkdir -p "$work"
"$@" -r -nostdlib -o "$work/libcxlvm.o" -Wl,--whole-archive "$input" -Wl,--no-whole-archive
"$objcopy" --localize-hidden "$work/libcxlvm.o"
rm -f "$output"
"$ar" rcsD "$output" "$work/libcxlvm.o"
