#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Boot the emulated host once and run all guests of the lab tests in it. What they left behind is
# judged afterwards, on this machine, by check-*.sh.
#
#   boot.sh SHARE-FOLDER        with CXLVM_BUILD set to the folder of builds
#
# SHARE-FOLDER is made anew. Speaks TAP.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lib/plan.sh
. tests/lab/options.sh
. tests/lab/share.sh
. tests/lab/trials.sh
. tests/lab/tail.sh
share=$1
build=${CXLVM_BUILD:-build}
HOST_LIMIT=1800

# talk_lines FILE LINE... - a conversation with these steps
talk_lines() {
	file=$1
	shift
	printf '%s\n' "$@" >"$file"
}

planned() {
	"$build/default/cli/cxlvm" plan --json --device "sim,size=$REGION_SIZE" "$@"
}

prepare() {
	share_make "$share" "$build"
	cp tests/tap.sh tests/lab/inside.sh tests/lab/piece.sh tests/lab/qemu.sh tests/guest/payload.sh \
		tests/guest/store.sh tests/guest/suite.sh tests/guest/passes.sh "$share/"
	cp "$(sh lab/kernel12.sh)" "$share/vmlinuz-old"
	# the same kernel as the guests', unpacked
	cp "$(sh lab/host.sh)/kernel" "$share/vmlinux"
	sh lab/guest/mkguest.sh "$share/plain.cpio.gz" --plain
	sh tests/guest/payload.sh build "$share/payload"
	sh tests/guest/payload.sh tests "$share/guest"
	planned --memory 512M >"$share/plan.json"
	planned --memory 128M | plan_window 0 base >"$share/payload.base"
	share_talk_region "$share" region-5
	share_talk_region "$share" region-2
	# shellcheck disable=SC2086 # options are words
	planned --device "sim,size=$SECOND_SIZE" $TRIALS_OPTIONS >"$share/plan-trials.json"
	share_talk_trials "$share" "$share/plan-trials.json"
	# shellcheck disable=SC2086 # options are words
	"$build/default/cli/cxlvm" plan --json --device "sim,size=$SECOND_SIZE,decoder=guest" $TAIL_OPTIONS \
		>"$share/plan-tail.json"
	share_talk_tail "$share" "$share/plan-tail.json"
	cat "$share/guest.cpio.gz" "$(sh lab/cxl-tools.sh)" >"$share/guest-cxl.cpio.gz"
	talk_lines "$share/talk/broken.talk" 'expect GUEST region' 'expect FAILED no region'
	talk_lines "$share/talk/no-device.talk" 'expect GUEST region' 'expect FAILED no region'
	talk_lines "$share/talk/old.talk" 'expect GUEST plain' 'expect CEDT'
	talk_lines "$share/talk/log.talk" 'expect GUEST log' 'expect END log'
	talk_lines "$share/talk/hang.talk" 'expect GUEST hang'
	talk_lines "$share/talk/panic.talk" 'expect GUEST panic'
}

# pass_on - tells what the emulated host says while it runs
pass_on() {
	while read -r word text; do
		case $word in
		PROGRESS) progress "lab: $text" ;;
		REPEATED) progress "REPEATED $text" ;;
		GUEST | NOTE) note "$text" ;;
		*) note "$word $text" ;;
		esac
	done
}

run_host() {
	status=0
	share_run_host "$share" $HOST_LIMIT pass_on inside.sh >&4 || status=$?
	[ "$status" = 0 ] || {
		cat "$share/run.error"
		fail "status $status"
	}
}

check "guests, programs and seeds are ready" prepare
# a test's own output is shown only if it fails
exec 4>&1
check "the emulated host ran all guests and powered off" run_host
tap_end
