# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# In the emulated host: the cases of vfio-hostile.sh, one device at a time.
#
#   vfio-hostile-inside.sh GENERATION...
set -eu
DEVICE=/sys/devices/platform/cxlvm_lab.0
DEBUG=/sys/kernel/debug/cxlvm_lab/cxlvm_lab.0
# a report of a sanitizer has a status of its own
export ASAN_OPTIONS=detect_leaks=1:exitcode=99
export UBSAN_OPTIONS=halt_on_error=1:exitcode=99:print_stacktrace=1

# kill_in_reset FOLDER - a run that is killed while the kernel asks it again and again to reset the device
# later, and what comes after it
kill_in_reset() {
	mkdir -p "$1"
	echo 'reset 1 11 1000' >"$DEBUG/fail"
	echo 0 >"$DEBUG/counters"
	asan/loader --library-path asan asan/cxlvm run --kernel vmlinuz --memory 256M \
		--device "vfio:$DEVICE" >"$1/error" 2>&1 </dev/null &
	victim=$!
	until [ "$(sed -n 's/^reset //p' "$DEBUG/counters")" -gt 0 ]; do
		kill -0 $victim 2>/dev/null || break
	done
	kill -9 $victim 2>/dev/null || :
	victim_status=0
	wait $victim || victim_status=$?
	echo $victim_status >"$1/status"
	sed -n 's/^reset //p' "$DEBUG/counters" >"$1/resets"
	echo 'reset 4294967295 5' >"$DEBUG/fail"
	plan "$1/status-again" "$1/again"
}

# plan STATUS-FILE MESSAGES - opens the device and does all that comes before a guest starts
plan() {
	plan_status=0
	timeout 100 asan/loader --library-path asan asan/cxlvm plan --device "vfio:$DEVICE" \
		>/dev/null 2>"$2" </dev/null || plan_status=$?
	echo $plan_status >"$1"
}

for generation in "$@"; do
	insmod cxlvm_lab.ko "generation=$generation"
	mkdir -p "out/$generation/good"
	plan "out/$generation/good/status" "out/$generation/good/error"
	while IFS='|' read -r name file value off where _; do
		case " $where " in
		*" $generation "*) ;;
		*) continue ;;
		esac
		at=out/$generation/$name
		mkdir -p "$at"
		echo "$value" >"$DEBUG/$file"
		plan "$at/status" "$at/error"
		if [ "$off" = - ]; then
			rmmod cxlvm_lab
			insmod cxlvm_lab.ko "generation=$generation"
		else
			echo "$off" >"$DEBUG/$file"
		fi
		plan "$at/status-again" "$at/again"
	done <cases
	kill_in_reset "out/$generation/killed"
	rmmod cxlvm_lab
done
dmesg >out/dmesg
