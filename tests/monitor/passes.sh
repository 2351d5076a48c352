#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What KVM counts in passes over all of the device memory, on this machine's /dev/kvm.
set -eu
. tests/tap.sh
. tests/lib/monitor.sh

if ! reason=$(have_kvm); then
	skip "passes over device memory on this machine" "$reason; they also run in the lab"
	tap_end
	exit
fi
sh "$PAYLOAD_TOOL" tests "$WORK/files/guest"
gcc -std=c11 -O2 -o "$WORK/files/pattern" lab/tools/pattern.c
gcc -std=gnu11 -O2 -Wall -Wextra -shared -fPIC -pthread -o "$WORK/files/tell.so" \
	tests/monitor/tell_counters.c
if shared=$(mktemp -d -p /dev/shm 2>/dev/null); then
	tap_cleanup='rm -rf "$WORK" "$shared"'
	env CXLVM="$CXLVM" GUEST="$WORK/files/guest" PATTERN="$WORK/files/pattern" TELL="$WORK/files/tell.so" \
		WORK="$shared/passes" sh tests/guest/passes.sh >"$WORK/passes.tap" || :
	check "the guest with the passes ran" grep -q '^1\.\.7$' "$WORK/passes.tap"
	tap_take "$WORK/passes.tap"
else
	skip "passes over device memory on this machine" "there is no tmpfs in /dev/shm; they also run in the lab"
fi
tap_end
