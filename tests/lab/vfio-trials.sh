#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Devices of a real kernel's VFIO that misbehave under a guest: memory that is taken away while the guest
# writes, resets that are asked for again, that fail, and after which the decoder is another. In an emulated
# host, on the lab's device in generations 4 to 6.
#
#   vfio-trials.sh SHARE-FOLDER        with CXLVM_BUILD set to the folder of builds
#
# SHARE-FOLDER is made anew. Speaks TAP.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lib/plan.sh
. tests/lab/options.sh
. tests/lab/judge.sh
. tests/lab/share.sh
. tests/lab/talk.sh
share=$1
build=${CXLVM_BUILD:-build}
HOST_LIMIT=1600
ONES=ffffffffffffffff
# the timer check of the host's kernel is a race that a slow emulator can lose, and then it complains
SHARE_HOST_APPEND=no_timer_check

# all_of SEED FILE - the guest fills all of its memory, which is then compared in the device
all_of() {
	tell 'WAIT seed1' again
	printf '%s\n' "send $1" "expect FILLED $1" 'expect WAIT seed2' 'send ' 'expect CHECK'
	host "bin/pattern check /tmp/device-memory $1 >/tmp/guest/$2 || :"
}

# first words of two pages
look() {
	tell DONE access R8 "$WINDOW" R8 "$(sum "$WINDOW" 5000)"
}

begin() { # FILE
	printf '%s\n' 'expect WAIT seed1' 'send ' 'expect WAIT seed2' 'send ' 'expect CHECK'
	all_of "$SEED" "$1"
	look
}

# The real Memory Space bit goes off behind the monitor; then the guest's own.
talk_space() { # INDEX BACK
	begin first
	host "sh /tmp/poke $1 memory_space 0"
	look
	host "sh /tmp/poke $1 memory_space 1"
	host "$2"
	look
	tell DONE access w2 "$(sum "$CONFIG" 4)" 400 R8 "$WINDOW" w2 "$(sum "$CONFIG" 4)" 406 \
		R8 "$WINDOW"
	# while it writes: what is lost meanwhile is lost, and then all is there again
	tell 'WAIT seed1' again
	host "{ sleep 0.2; sh /tmp/poke $1 memory_space 0; sleep 0.2; sh /tmp/poke $1 memory_space 1; $2; } &"
	printf '%s\n' "send $SEED" 'expect FILLED' 'expect WAIT seed2' 'send ' 'expect CHECK'
	host 'sleep 3'
	all_of "$SEED" last
	tell '' poweroff
}

talk_gate() { # INDEX
	begin first
	host "sh /tmp/poke $1 revoke"
	look
	host "sh /tmp/poke $1 restore"
	host 'bin/cxlvm ctl /tmp/control reset vfio0 flr'
	all_of "$SEED" last
	host "sh /tmp/poke $1 notify request"
	host "sh /tmp/poke $1 notify error"
	tell '' poweroff
}

# reset_with INDEX QUIRK WANTED - a reset by the operator that ends like this
reset_with() {
	host "sh /tmp/poke $1 quirks $2"
	host "bin/cxlvm ctl /tmp/control reset vfio0 flr >>/tmp/guest/ctl 2>&1 || :"
	look
}

talk_resets() { # INDEX
	begin first
	host "sh /tmp/poke $1 fail 'reset 1 11 2'"
	host 'bin/cxlvm ctl /tmp/control reset vfio0 flr'
	all_of "$SEED" again
	host "sh /tmp/poke $1 fail 'reset 1 5'"
	reset_with "$1" ,
	reset_with "$1" decoder-lost
	reset_with "$1" size-changes
	reset_with "$1" ,
	all_of "$SEED" last
	tell '' poweroff
}

# Of two devices one closes its gate.
talk_two() { # INDEX
	begin first
	tell DONE access R8 "$SECOND"
	host "sh /tmp/poke $1 revoke"
	look
	tell DONE access R8 "$SECOND"
	host "sh /tmp/poke $1 restore"
	host 'bin/cxlvm ctl /tmp/control reset vfio0 flr'
	all_of "$SEED" last
	tell '' poweroff
}

# Calls of the kernel that fail: interrupts first, which the guest then has not, and writes to a BAR.
talk_calls() { # INDEX
	begin first
	host "sh /tmp/poke $1 fail 'bar-write 1 5 1000'"
	tell DONE access w4 "$(at "$share/plan.json" bar 0 2)" 0 w4 "$(at "$share/plan.json" bar 0 2)" 0
	host "sh /tmp/poke $1 fail 'bar-write 4294967295 5'"
	host "cat /sys/kernel/debug/cxlvm_lab/cxlvm_lab.$1/counters >/tmp/guest/counters"
	all_of "$SEED" last
	tell '' poweroff
}

# The machine is reset while the guest writes to device memory; it boots anew and uses it.
talk_machine() {
	printf '%s\n' 'expect WAIT seed1' 'send ' 'expect WAIT seed2' 'send ' 'expect CHECK'
	tell 'WAIT seed1' again
	host '{ sleep 0.2; bin/cxlvm ctl /tmp/control reset; } >/tmp/guest/ctl 2>&1 &'
	printf '%s\n' "send $SEED" 'expect GUEST region' 'expect WAIT seed1' "send $SEED" \
		"expect FILLED $SEED" 'expect WAIT seed2' 'send ' 'expect CHECK'
	host "bin/pattern check /tmp/device-memory $SEED >/tmp/guest/last || :"
	tell '' poweroff
}

prepare() {
	share_make "$share" "$build"
	cp tests/lab/vfio-trials-inside.sh "$share/"
	"$build/default/cli/cxlvm" plan --json --memory 256M --device sim,size=256M >"$share/plan.json"
	WINDOW=$(printf %x "$(plan_window 0 base <"$share/plan.json")")
	"$build/default/cli/cxlvm" plan --json --memory 256M --device sim,size=256M --device \
		sim,size=256M >"$share/two.json"
	SECOND=$(at "$share/two.json" cxl-window 1)
	[ "$(at "$share/two.json" cxl-window 0)" = "$WINDOW" ] || fail "the first window has moved"
	CONFIG=$(sum "$(at "$share/plan.json" ecam 0)" 100000)
	SEED=$("$share/bin/pattern" seed)
	talk_space 0 'bin/cxlvm ctl /tmp/control reset vfio0 flr' >"$share/talk/space-4.talk"
	talk_space 1 'sleep 3' >"$share/talk/space-5.talk"
	talk_gate 2 >"$share/talk/gate-6.talk"
	talk_resets 3 >"$share/talk/resets-5.talk"
	talk_machine >"$share/talk/machine-6.talk"
	talk_calls 5 >"$share/talk/calls-5.talk"
	talk_two 0 >"$share/talk/two-6.talk"
}

tell_progress() {
	while read -r word text; do
		progress "lab: $word $text"
	done
}

run_host() {
	share_run_host "$share" $HOST_LIMIT tell_progress vfio-trials-inside.sh >&4 || {
		cat "$share/run.error"
		fail "the emulated host failed"
	}
}

ended_well() {
	DIR=$share/out/$1
	status_is 0
}

good="pages $REGION_PAGES bad 0 first_bad none"

compared() { # NAME FILE...
	DIR=$share/out/$1
	shift
	for file in "$@"; do
		want_equal "$file" "$good" "$(cat "$DIR/$file")"
	done
}

# looks NAME PATTERN... - what the guest read, in order: "there", "ones", "any", or the words
looks() {
	DIR=$share/out/$1
	shift
	tr -d '\r' <"$DIR/console" | sed -n 's/^DONE *//p' >"$share/looks"
	there=$(head -n 1 "$share/looks")
	n=0
	for wanted in "$@"; do
		n=$((n + 1))
		got=$(sed -n "${n}p" "$share/looks")
		case $wanted in
		there) want_equal "look $n" "$there" "$got" ;;
		ones) want_equal "look $n" "$ONES $ONES" "$got" ;;
		same) want_equal "look $n" "${there% *} ${there% *}" "$got" ;;
		any) [ "$got" != "$ONES $ONES" ] || fail "look $n: all ones" ;;
		esac
	done
	want_equal "looks" $n "$(wc -l <"$share/looks")"
	[ "$there" != "$ONES $ONES" ] || fail "the memory was never there"
}

# first words of first and second, before and after
other_lives_on() {
	DIR=$share/out/two-6
	tr -d '\r' <"$DIR/console" | sed -n 's/^DONE *//p' >"$share/looks"
	want_equal "looks" 4 "$(wc -l <"$share/looks")"
	want_equal "the first" "$ONES $ONES" "$(sed -n 3p "$share/looks")"
	want_equal "the second" "$(sed -n 2p "$share/looks")" "$(sed -n 4p "$share/looks")"
	[ "$(sed -n 2p "$share/looks")" != $ONES ] || fail "the second was never there"
	want_equal "devices that are given up" vfio0 \
		"$(sed -n 's/^event: warning device=\([^ ]*\) .*does not answer.*/\1/p' "$DIR/monitor")"
}

event() { # NAME TEXT
	want_text "event" "^event: $2" "$share/out/$1/monitor"
}

# the first pass was cut short, the one after the boot was not
reset_while_it_writes() {
	DIR=$share/out/machine-6
	cat "$DIR/ctl"
	want_equal "boots" 2 "$(tr -d '\r\000' <"$DIR/console" | grep -c '^GUEST region')"
	want_equal "complete passes" 1 "$(tr -d '\r\000' <"$DIR/console" | grep -c '^FILLED [0-9a-f]')"
	compared machine-6 last
}

no_complaint() {
	want_no_text "the host's messages" 'WARNING:|BUG:|Oops:|Call Trace' "$share/out/dmesg"
}

check "guests and seeds are ready" prepare
exec 4>&1
check "the emulated host ran them" run_host
for name in space-4 space-5 gate-6 resets-5 machine-6 calls-5 two-6; do
	check "$name: the run ends with 0" ended_well $name
done
check "Memory Space off behind the monitor, generation 5: ones, and back by itself" \
	looks space-5 there ones there same
check "Memory Space off behind the monitor, generation 4: ones, and back" looks space-4 there ones any any
check "memory is taken away while the guest writes: later all of it is there" \
	compared space-5 first last
check "the same, generation 4" compared space-4 first last
check "Memory Space off: an event says so" event space-5 'memory-unavailable device=vfio0'
check "and one that it is back" event space-5 'memory-available device=vfio0'
check "a gate that is closed without a word: ones until a reset" looks gate-6 there ones
check "and an event" event gate-6 'warning device=vfio0 .*does not answer'
check "after the reset all of the memory is there" compared gate-6 first last
check "the kernel wants the device back: an event" event gate-6 'device-requested device=vfio0'
check "the kernel reports an error: an event" event gate-6 'device-error device=vfio0'
check "EAGAIN twice: the device is reset all the same" compared resets-5 first again
check "reset fails, decoder is lost, size changes: ones each time, then back" \
	looks resets-5 there ones ones ones any
check "a reset that fails is an event" event resets-5 'reset-failed device=vfio0 error=Input/output error'
check "a decoder that is lost is an event" event resets-5 'reset-failed device=vfio0.*not committed'
check "a size that changes is an event, with both" event resets-5 \
	'reset-failed device=vfio0.*0x20000000.*0x10000000'
check "after a good reset all of the memory is there" compared resets-5 last
check "the machine is reset while the guest writes: it boots, and all of the memory is there" \
	reset_while_it_writes
check "of two devices only the one that does not answer is given up (MAP-5)" other_lives_on
check "and it has all of its memory after its reset" compared two-6 first last
check "interrupts that the kernel does not describe: a warning" event calls-5 \
	'warning device=vfio0 error=Input/output error .*does not say how interrupts are connected'
check "notices that the kernel does not give: a warning" event calls-5 \
	'warning device=vfio0 error=Input/output error .*not going to tell when it wants the device back'
check "writes to a BAR that the device does not take: a warning" event calls-5 \
	'warning device=vfio0 error=Input/output error .*does not take a write to BAR 2 at 0x0; 1 '
check "with all of that the guest has all of the memory" compared calls-5 first last
check "the host's kernel has no complaint" no_complaint
tap_end
