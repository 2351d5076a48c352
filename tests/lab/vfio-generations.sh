#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Guests with a region on devices of a real kernel's VFIO, in the generations that vfio.sh leaves out.
#
#   vfio-generations.sh SHARE-FOLDER        with CXLVM_BUILD set to the folder of builds
#
# SHARE-FOLDER is made anew. Speaks TAP. The guests are judged by check-region.sh.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lab/options.sh
. tests/lab/judge.sh
. tests/lab/share.sh
. tests/lab/host.sh
share=$1
build=${CXLVM_BUILD:-build}
HOST_LIMIT=1200
GENERATIONS='6 4 3 2n'
# the timer check of the host's kernel is a race that a slow emulator can lose, and then it complains
SHARE_HOST_APPEND=no_timer_check

prepare() {
	share_make "$share" "$build"
	cp tests/lab/vfio-generations-inside.sh tests/lab/vfio-region.sh "$share/"
	for generation in $GENERATIONS; do
		share_talk_region "$share" "vfio-$generation" flr
	done
}

check "guests and seeds are ready" prepare
# shellcheck disable=SC2086 # a list
check "the emulated host ran them" run_host vfio-generations-inside.sh $GENERATIONS
for generation in $GENERATIONS; do
	DIR=$share/out/vfio-$generation
	check "generation $generation: DMA maps and unmaps are even, by the kernel's count (DMA-4)" maps_are_even
	check "generation $generation: device memory is in the I/O address space before and after the CPU's (DMA-5)" \
		dma_in_order
done
check "the host's kernel has no complaint" host_has_no_complaint
tap_end
