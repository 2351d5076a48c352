# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# In the emulated host: the guests of vfio-generations.sh.
#
#   vfio-generations-inside.sh GENERATION...
set -eu
. ./options.sh
. ./guests.sh
. ./vfio-region.sh

insmod cxlvm_lab.ko devices=$# "generation=$(echo "$@" | tr ' ' ,)"
index=0
for generation in "$@"; do
	region "vfio-$generation" $index
	index=$((index + 1))
done
rmmod cxlvm_lab
dmesg >out/dmesg
