# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# The part of demo.sh that runs in the emulated host.
#
#   demo-inside.sh PROGRAM [OPTION...]    PROGRAM in bin/ gets these options as well
set -eu
. ./options.sh
. ./guests.sh
program=$1
shift
device=sim,size=$REGION_SIZE,memory-file=$MEM

echo "READY $(uname -r)"
new_memory
plan demo --memory 512M --device "$device"
: >/tmp/progress
tail -f /tmp/progress &
follower=$!
guest demo $REGION_LIMIT "bin/$program" run --kernel vmlinuz --initrd guest.cpio.gz \
	--memory 512M --device "$device" --append "$APPEND cxlvm.test=region" \
	--trace cxl_locked_hdm "$@"
kill $follower
seed=$(tail -n 1 talk/demo.seeds | cut -d' ' -f3)
[ ! -f $MEM ] || bin/pattern check $MEM "$seed" >out/demo/after 2>&1 || :
sha256sum vmlinuz | cut -d' ' -f1 >out/vmlinuz.sha256
