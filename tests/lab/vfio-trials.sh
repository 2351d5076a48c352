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
. tests/lab/host.sh
. tests/lab/talk.sh
share=$1
build=${CXLVM_BUILD:-build}
HOST_LIMIT=1600
GENERATIONS='4 5 6'
LAB=/sys/kernel/debug/cxlvm_lab
# how often memory is taken away under the guest's writes
OUTAGES=3
ONES=ffffffffffffffff
# the timer check of the host's kernel is a race that a slow emulator can lose, and then it complains
RANGE=0x40000000
SHARE_HOST_APPEND="no_timer_check memmap=$SECOND_SIZE\$$RANGE"

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

# The real Memory Space bit goes off behind the monitor, who is kept from putting it back, and later is
# not; then the guest's own.
talk_space() { # INDEX
	host "sh /tmp/poke $1 fail 'config-write 1 5 1000000'"
	host "sh /tmp/poke $1 memory_space 0"
	look
	host "sh /tmp/poke $1 fail 'config-write 1000000 5'"
	host 'sleep 3'
	look
	host "sh /tmp/poke $1 memory_space 0"
	look
	tell DONE access w2 "$(sum "$CONFIG" 4)" 400 R8 "$WINDOW" w2 "$(sum "$CONFIG" 4)" 406 \
		R8 "$WINDOW"
}

FLR='bin/cxlvm ctl /tmp/control reset vfio0 flr'

# The kernel closes the gate without a word.
talk_gate() { # INDEX FILE OFF ON
	host "sh /tmp/poke $1 $2 $3"
	look
	host "sh /tmp/poke $1 ${4:-$2} ${5:-$3}"
	host "$FLR"
	all_of "$SEED" "$2"
}

# so long that each of the device's next ten events is told (host.c of the monitor)
quiet() {
	host 'sleep 11'
}

# The memory is taken away in the middle of the guest's writes, several times; then all is there again.
# A reset of the device ends each outage, while the guest writes on.
talk_writes() { # NAME INDEX FILE OFF ON
	tell FILLING refill "$SEED"
	host "sh /tmp/outages $2 $3 '$4' '$5' '$FLR' >/tmp/guest/outages-$1"
	tell STOPPED stop
	all_of "$SEED" "after-$1"
}

# reset_with INDEX QUIRK WANTED - a reset by the operator that ends like this
reset_with() {
	host "sh /tmp/poke $1 quirks $2"
	host "$FLR >>/tmp/guest/ctl 2>&1 || :"
	look
}

talk_resets() { # INDEX
	quiet
	host "sh /tmp/poke $1 fail 'reset 1 11 2'"
	host "cat $LAB/cxlvm_lab.$1/counters >/tmp/guest/again-before"
	host "$FLR"
	host "cat $LAB/cxlvm_lab.$1/counters >/tmp/guest/again-after"
	all_of "$SEED" again
	host "sh /tmp/poke $1 fail 'reset 1 5'"
	reset_with "$1" ,
	reset_with "$1" decoder-lost
	reset_with "$1" size-changes
	reset_with "$1" ,
	all_of "$SEED" last
}

# The guest asks for a CXL reset: CXL Control 2, then what CXL Status 2 says (DVSEC at 0x110).
talk_cxl_reset() { # INDEX
	host "cat $LAB/cxlvm_lab.$1/counters >/tmp/guest/cxl-before"
	tell DONE access w2 "$(sum "$CONFIG" 120)" 4 r2 "$(sum "$CONFIG" 122)" R8 "$WINDOW"
	host "cat $LAB/cxlvm_lab.$1/counters >/tmp/guest/cxl-after"
	all_of "$SEED" cxl
}

talk_notices() { # INDEX
	quiet
	host "sh /tmp/poke $1 notify request"
	host "sh /tmp/poke $1 notify error"
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
	tell FILLING refill "$SEED"
	host 'bin/cxlvm ctl /tmp/control reset >/tmp/guest/ctl 2>&1'
	printf '%s\n' 'expect GUEST region' 'expect WAIT seed1' "send $SEED" \
		"expect FILLED $SEED" 'expect WAIT seed2' 'send ' 'expect CHECK'
	host "bin/pattern check /tmp/device-memory $SEED >/tmp/guest/last || :"
	tell '' poweroff
}

talk_generation() { # GENERATION INDEX
	begin first
	if [ "$1" = 6 ]; then
		talk_gate "$2" revoke 1 restore 1
		talk_gate "$2" low_power 1 low_power 0
		talk_writes revoke "$2" revoke 1 'restore 1'
		talk_writes low-power "$2" low_power 1 'low_power 0'
		talk_notices "$2"
	else
		talk_space "$2"
		talk_writes space "$2" memory_space 0 'memory_space 1'
	fi
	talk_cxl_reset "$2"
	talk_resets "$2"
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
	for generation in $GENERATIONS; do
		talk_generation $generation 0 >"$share/talk/trials-$generation.talk"
	done
	talk_machine >"$share/talk/machine-6.talk"
	talk_calls 0 >"$share/talk/calls-5.talk"
	talk_two 0 >"$share/talk/two-6.talk"
}

# answers FILE - without what cxlvm ctl says on a busy machine
answers() {
	grep -v '^cxlvm ctl: waiting for the answer' "$1" || :
}

ended_well() {
	DIR=$share/out/$1
	status_is 0
	! answers "$DIR/talk" | grep . || fail "the conversation went wrong as above"
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

# the guest did not end its passes by itself, and after the boot made one
reset_while_it_writes() {
	DIR=$share/out/machine-6
	cat "$DIR/ctl"
	want_equal "boots" 2 "$(tr -d '\r\000' <"$DIR/console" | grep -c '^GUEST region')"
	want_equal "passes that were ended" 0 "$(tr -d '\r\000' <"$DIR/console" | grep -c '^STOPPED')"
	want_equal "passes after it" 1 "$(tr -d '\r\000' <"$DIR/console" | grep -c '^FILLED [0-9a-f]')"
	want_equal "last" "pages $SECOND_PAGES bad 0 first_bad none" "$(cat "$DIR/last")"
}

# the one that the machine that is reset uses
another_device() {
	DIR=$share/out/machine-6
	cat "$DIR/state"
	want_text "memory" '^backing range$' "$DIR/state"
	want_text "size" "^size $((SECOND_PAGES * 4096))\$" "$DIR/state"
	want_equal "quirks" reset-again "$(cat "$share/out/quirks")"
	resets=$(sed -n 's/^device-reset //p' "$DIR/counted")
	asked=$(sed -n 's/^reset //p' "$DIR/counted")
	[ "$resets" -ge 2 ] || fail "$resets resets"
	want_equal "resets that were asked for" $((3 * resets)) "$asked"
}

# more COUNTER NAME - by how much it grew from DIR/NAME-before to DIR/NAME-after
more() {
	echo $(($(sed -n "s/^$1 //p" "$DIR/$2-after") - $(sed -n "s/^$1 //p" "$DIR/$2-before")))
}

# two calls that failed, and the one that did it
again_twice() { # NAME
	DIR=$share/out/$1
	want_equal "resets that were asked for" 3 "$(more reset again)"
	want_equal "resets of the device" 1 "$(more device-reset again)"
	compared "$1" again
}

# the writes met it each time: the device's kernel refused faults; the monitor said so each time
outages() { # NAME WHAT
	DIR=$share/out/$1
	cat "$DIR/outages-$2"
	want_equal "outages" "$OUTAGES" "$(grep -c '^refused [1-9]' "$DIR/outages-$2")"
	want_equal "outages that the monitor told of" "$OUTAGES" "$(grep -c '^told [1-9]' "$DIR/outages-$2")"
	want_equal "resets" "$OUTAGES" "$(grep -cx 'resets 1' "$DIR/outages-$2")"
	compared "$1" "after-$2"
}

# the kernel of this generation only pretends: the device was reset all the same, its memory is 0
cxl_reset() { # NAME WHERE-OF-THE-ANSWER CONTENT
	DIR=$share/out/$1
	want_equal "resets of the device" 1 "$(more device-reset cxl)"
	# shellcheck disable=SC2046 # values are words
	set -- $(tr -d '\r' <"$DIR/console" | sed -n 's/^DONE *//p' | sed -n "$2p") "$3"
	want_equal "complete, no error in CXL Status 2" 2 $((0x$1 & 6))
	case $3 in
	kept) [ "$2" != 0 ] && [ "$2" != "${ONES}" ] || fail "memory reads $2" ;;
	*) want_equal "memory" "$3" "$2" ;;
	esac
	compared "${DIR##*/}" cxl
}

# to the operator who asked for them: what failed and what to do, in this order
told_why() { # NAME
	answers "$share/out/$1/ctl" | tee "$share/ctl"
	want_equal "messages" 3 "$(grep -c '^cxlvm ctl: ' "$share/ctl")"
	tr '\n' ' ' <"$share/ctl" >"$share/told"
	want_text "messages" "could not be reset: Input/output error +hint: .*dmesg.* \
cxlvm ctl: .*not committed .*hint: .*firmware.* \
cxlvm ctl: .*covers 0x20000000 bytes now, it was 0x10000000 +hint: .*start the virtual machine anew" "$share/told"
}

check "guests and seeds are ready" prepare
check "the emulated host ran them" run_host vfio-trials-inside.sh "$SECOND_SIZE" $RANGE
for name in trials-4 trials-5 trials-6 calls-5 two-6 machine-6; do
	check "$name: the run ends with 0" ended_well $name
done
# after Memory Space, the guest's own bit, its CXL reset: the four of resets
for generation in 4 5; do
	name=trials-$generation
	G="generation $generation:"
	check "$G Memory Space off for good: ones; the monitor puts it back; four resets" \
		looks $name there ones there there same any ones ones ones any
	check "$G an event says that Memory Space is off" event $name \
		'memory-unavailable device=vfio0 .*PCI command register'
	check "$G Memory Space that is put back at once is told as well" event $name \
		'memory-unavailable device=vfio0 .*Memory Space of the real device was off'
	check "$G and an event that the memory is back" event $name 'memory-available device=vfio0'
	check "$G Memory Space off while the guest writes, and a reset, $OUTAGES times: then all is there" \
		outages $name space
done
check "generation 4: a guest's CXL reset is one" cxl_reset trials-4 6 kept
check "generation 5: rst3 a guest's CXL reset is one, though the kernel only pretends" \
	cxl_reset trials-5 6 0
check "generation 6: a gate that is closed without a word, low power: ones until a reset; four resets" \
	looks trials-6 there ones ones any ones ones ones any
check "generation 6: an event says so" event trials-6 'warning device=vfio0 .*does not answer'
check "generation 6: after the resets all of the memory is there" compared trials-6 first revoke low_power
check "generation 6: revoked while the guest writes, and a reset, $OUTAGES times: then all is there" \
	outages trials-6 revoke
check "generation 6: low power while the guest writes, and a reset, $OUTAGES times: then all is there" \
	outages trials-6 low-power
check "generation 6: rst3 a guest's CXL reset is one, though the kernel only pretends" \
	cxl_reset trials-6 4 0
check "the kernel wants the device back: an event" event trials-6 'device-requested device=vfio0'
check "the kernel reports an error: an event" event trials-6 'device-error device=vfio0'
for generation in $GENERATIONS; do
	name=trials-$generation
	G="generation $generation:"
	check "$G EAGAIN twice: the device is reset all the same" again_twice $name
	check "$G a reset that fails is an event" event $name \
		'reset-failed device=vfio0 error=Input/output error'
	check "$G a decoder that is lost is an event" event $name \
		'reset-failed device=vfio0.*not committed'
	check "$G a size that changes is an event, with both" event $name \
		'reset-failed device=vfio0.*0x20000000.*0x10000000'
	check "$G each of the three is a message to who asked for the reset, with a hint" told_why $name
	check "$G after a good reset all of the memory is there" compared $name last
done
check "the machine is reset while the guest writes: it boots, and all of the memory is there" \
	reset_while_it_writes
check "that was on memory in a physical range, of another size, of a kernel that says again twice" \
	another_device
check "of two devices only the one that does not answer is given up (MAP-5)" other_lives_on
check "and it has all of its memory after its reset" compared two-6 first last
check "interrupts that the kernel does not describe: a warning" event calls-5 \
	'warning device=vfio0 error=Input/output error .*does not say how interrupts are connected'
check "notices that the kernel does not give: a warning" event calls-5 \
	'warning device=vfio0 error=Input/output error .*not going to tell when it wants the device back'
check "writes to a BAR that the device does not take: a warning" event calls-5 \
	'warning device=vfio0 error=Input/output error .*does not take a write to BAR 2 at 0x0; 1 '
check "with all of that the guest has all of the memory" compared calls-5 first last
check "the host's kernel has no complaint" host_has_no_complaint
tap_end
