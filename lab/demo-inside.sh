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

echo "READY $(uname -r)"
new_memory
rm -f "${MEM}2"
# shellcheck disable=SC2086 # options are words
set -- $DEMO_OPTIONS --device "sim,size=$REGION_SIZE,memory-file=$MEM" \
	--device "sim,size=$SECOND_SIZE,memory-file=${MEM}2" "$@"
: >/tmp/progress
tail -f /tmp/progress &
follower=$!
# iomem=relaxed: the guest compares registers through /dev/mem
guest demo $REGION_LIMIT "bin/$program" run --kernel vmlinuz --initrd guest.cpio.gz \
	--append "$APPEND iomem=relaxed cxlvm.test=region" --trace cxl_locked_hdm "$@"
kill $follower
# nobody uses it any more
seed=$(sed -n 's/^2 [0-9a-f]* //p' talk/demo.seeds)
[ ! -f $MEM ] || bin/pattern check $MEM "$seed" >out/demo/after 2>&1 || :
sha256sum vmlinuz | cut -d' ' -f1 >out/vmlinuz.sha256
