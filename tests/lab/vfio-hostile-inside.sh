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
	rmmod cxlvm_lab
done
dmesg >out/dmesg
