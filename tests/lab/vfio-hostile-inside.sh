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

count() {
	sed -n "s/^$1 //p" "$DEBUG/counters"
}

# kill_in FOLDER CALL N - a run that is killed in its N-th call of this name, in which the kernel keeps it; and
# what comes after it
kill_in() {
	mkdir -p "$1"
	echo "$2 $3 4" >"$DEBUG/fail"
	echo 0 >"$DEBUG/counters"
	asan/loader --library-path asan asan/cxlvm run --kernel vmlinuz --memory 256M \
		--device "vfio:$DEVICE" >"$1/error" 2>&1 </dev/null &
	victim=$!
	until [ "$(count "$2")" -ge "$3" ]; do
		kill -0 $victim 2>/dev/null || break
	done
	echo "before $(count "$2") $(count injected-failure)" >"$1/calls"
	kill -9 $victim 2>/dev/null || :
	victim_status=0
	wait $victim || victim_status=$?
	echo $victim_status >"$1/status"
	echo "after $(count "$2") $(count injected-failure)" >>"$1/calls"
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
	kill_in "out/$generation/killed-open" open 1
	kill_in "out/$generation/killed-mmap" mmap 1
	kill_in "out/$generation/killed-set-irqs" set-irqs 1
	# the kernel says twice that it has to be asked again
	echo 2 >"$DEBUG/quirk_times"
	echo reset-again >"$DEBUG/quirks"
	kill_in "out/$generation/killed-reset" reset 3
	rmmod cxlvm_lab
done
dmesg >out/dmesg
