# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs guests in the emulated host (busybox sh). Read by scripts that run there, in /lab, with
#
#   bin/cxlvm bin/cxlvm-switches bin/converse bin/pattern      static programs
#   talk/NAME.talk                                             what to say to guest NAME
#
# Everything about guest NAME ends up in out/NAME/:
#
#   console   what the guest wrote            monitor   what cxlvm wrote (standard error)
#   talk      what converse said              status    exit status of cxlvm
#   seconds   how long it took                memory    the device memory, if it is kept
#
# The console of a guest that hung is in out/NAME.hung/. Guests at the same time need a folder each in
# GUEST_WORK, which is made anew. GUEST_DISK: a file here which is the guest's disk; it is GUEST_DISK.first
# again when the guest is run once more.

MEM=/tmp/device-memory
mkdir -p out

seconds_now() {
	cut -d. -f1 /proc/uptime
}

# plan NAME ARG... - what cxlvm plan says here about the options of guest NAME
plan() {
	mkdir -p "out/$1"
	plan_name=$1
	shift
	bin/cxlvm plan --json "$@" >"out/$plan_name/plan.json" 2>"out/$plan_name/plan.error" ||
		echo "NOTE plan for $plan_name failed"
}

# attempt NAME SECONDS PROGRAM ARG... - one run of cxlvm with the conversation of NAME
attempt() {
	name=$1
	limit=$2
	shift 2
	work=${GUEST_WORK:-/tmp/guest}
	rm -rf "$work"
	mkdir -p "$work" "out/$name"
	[ ! -f "out/$name/plan.json" ] || cp "out/$name/plan.json" "$work/"
	: >/tmp/progress
	began=$(seconds_now)
	# on one CPU, for the emulator's sake (lab/README.md)
	# the exit status of cxlvm is kept apart from that of converse
	bin/converse --log "$work/console" --timeout $((limit + 60)) "talk/$name.talk" -- \
		taskset 2 sh -c 'work=$1; shift; "$@" 2>"$work/monitor"; echo $? >"$work/status"' \
		sh "$work" "$@" --time-limit "$limit" >"$work/talk" 2>&1 || :
	[ -f "$work/status" ] || echo none >"$work/status"
	echo $(($(seconds_now) - began)) >"$work/seconds"
	cp "$work"/* "out/$name/"
}

# hung NAME - was the guest stopped by the time limit, or by a triple fault, which the emulated
# processor was seen to make in the middle of a boot?
hung() {
	grep -qiE 'time.limit|triple fault' "out/$1/monitor"
}

# last_words NAME - the end of what is in its folder, to be told at once
last_words() {
	# cxlvm tells the stack and the console as well, at length
	for file in monitor talk console; do
		tr -d '\r\000' <"out/$1/$file" | grep -vE '^(stack|console|trace): ' | tail -n 20 |
			sed "s/^/REPEATED   $file: /"
	done
}

# guest NAME SECONDS PROGRAM ARG... - a guest which hangs is run once more, and that is reported
guest() {
	echo "PROGRESS guest $1"
	attempt "$@"
	if hung "$1"; then
		echo "REPEATED guest $1: it hung or crashed, its registers and console are in out/$1.hung"
		rm -rf "out/$1.hung"
		mv "out/$1" "out/$1.hung"
		last_words "$1.hung"
		[ -z "${GUEST_DISK:-}" ] || dd if="$GUEST_DISK.first" of="$GUEST_DISK" conv=notrunc 2>/dev/null
		attempt "$@"
		[ ! -f "out/$1.hung/plan.json" ] || cp "out/$1.hung/plan.json" "out/$1/"
	fi
	echo "GUEST $1 status $(cat "out/$1/status") seconds $(cat "out/$1/seconds")"
}

# A guest that is meant to run into the time limit, or to crash.
guest_to_end_badly() {
	echo "PROGRESS guest $1"
	attempt "$@"
	echo "GUEST $1 status $(cat "out/$1/status") seconds $(cat "out/$1/seconds")"
}

# new_memory - an empty file for the device memory
new_memory() {
	rm -f "$MEM"
}
