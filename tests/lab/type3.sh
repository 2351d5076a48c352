#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Guests use a CXL memory device of the emulator, whose HDM decoder was committed before the driver came: the
# lab's driver offers it in the shape of each generation. What a guest writes is looked for outside of
# the emulated host, in the file that is the device's memory, and what is put there is found by the guest.
#
#   type3.sh SHARE-FOLDER        with CXLVM_BUILD set to the folder of builds
#
# SHARE-FOLDER is made anew. Speaks TAP.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lib/plan.sh
. tests/lab/options.sh
. tests/lab/judge.sh
. tests/lab/talk.sh
. tests/lab/share.sh
. tests/lab/host.sh
share=$1
build=${CXLVM_BUILD:-build}
HOST_LIMIT=2000
GENERATIONS='5 6 4 3 2 2n'
FUNCTION=0000:0d:00.0
# behind the base of the host's window: a number that nothing else in the guest is like
OFFSET=0x960000000
BYTES=0x10000000
DECODER='0xa70000000 0x10000000 0x00000700'
GOOD="pages $REGION_PAGES bad 0 first_bad none"
outside=$share/outside

SHARE_HOST_OPTIONS=--type3
# to look at registers of a device that has a driver
SHARE_HOST_APPEND=iomem=relaxed
SHARE_HOST_QEMU='-virtfs local,path=/mnt/share/outside,mount_tag=outside,security_model=none,multidevs=remap'

# talk GENERATION - two boots. What the words about the outside mean is in answer.
talk() {
	name=type3-$1
	ours=
	for boot in 1 2; do
		theirs=$("$share/bin/pattern" seed)
		printf '%s\n' 'expect GUEST region' 'expect WAIT seed1' \
			"run sh commit-decoder.sh $FUNCTION >/tmp/guest/decoder$boot"
		[ $boot = 1 ] || echo "run sh type3-outside.sh $name-after state $ours"
		ours=$("$share/bin/pattern" seed)
		echo "$boot $theirs $ours" >>"$share/talk/$name.seeds"
		printf '%s\n' "send $theirs" "expect FILLED $theirs" 'expect WAIT seed2' \
			"run sh type3-outside.sh $name-filled$boot check $theirs" \
			"run sh type3-outside.sh $name-ours$boot fill $ours" \
			"send $ours" 'expect CHECK'
		if [ $boot = 1 ]; then
			tell 'END host' find host a70000000 a80000000 \
				"memory:$EP+22000" "memory:$RP+10000" "memory:$HB+10000"
			printf '%s\n' 'expect WAIT next' 'send reboot'
		else
			tell 'END dmesg' dmesg
			printf '%s\n' 'expect WAIT next' 'send poweroff'
		fi
	done
}

prepare() {
	share_make "$share" "$build"
	share_selftest "$share"
	mkdir "$outside"
	cp tests/lab/type3-inside.sh tests/lab/type3-outside.sh lab/commit-decoder.sh "$share/"
	# BARs begin where those of any device do
	"$build/default/cli/cxlvm" plan --json --memory 512M --device "sim,size=$REGION_SIZE" \
		>"$share/sim.json"
	talk_about "$share/sim.json"
	for generation in $GENERATIONS; do
		talk "$generation" >"$share/talk/type3-$generation.talk"
	done
}

# answer WORD SEED - to what the emulated host wants to have done or to know
answer() {
	case $1 in
	check) "$share/bin/pattern" check "$share/type3.img" "$2" || : ;;
	fill) "$share/bin/pattern" fill "$share/type3.img" "$2" ;;
	state)
		if cmp -s -n $((REGION_PAGES * 4096)) "$share/type3.img" /dev/zero; then
			echo zero
		elif "$share/bin/pattern" check "$share/type3.img" "$2" >/dev/null; then
			echo kept
		else
			echo other
		fi
		;;
	esac
}

serve() {
	while :; do
		for ask in "$outside"/*.ask; do
			[ -e "$ask" ] || continue
			read -r word seed <"$ask"
			rm "$ask"
			name=${ask##*/}
			progress "lab: outside: ${name%.ask}"
			answer "$word" "$seed" >"${ask%.ask}.made" 2>&1 || :
			mv "${ask%.ask}.made" "${ask%.ask}.answer"
		done
		sleep 0.2
	done
}

run_served_host() {
	serve >&4 &
	server=$!
	trap 'kill $server' EXIT
	# shellcheck disable=SC2086 # a list
	run_host type3-inside.sh $FUNCTION $OFFSET $BYTES $GENERATIONS
}

seed() { # BOOT COLUMN
	awk -v boot="$1" -v column="$2" '$1 == boot { print $column }' "$share/talk/$NAME.seeds"
}

check_tells_the_type() {
	cat "$share/out/check"
	want_text "cxlvm check" "^BROKEN  *device  *$FUNCTION is a CXL Type-3 device \\[8086:0d93\\]" \
		"$share/out/check"
}

uncommitted_is_refused() {
	want_equal "driver" 'no driver' "$(cat "$share/out/uncommitted")"
	want_text "the host's messages" 'HDM decoder 0 is not committed by firmware' "$share/out/dmesg"
}

firmware_committed() {
	want_equal "base, size, control" "$DECODER" "$(cat "$share/out/firmware")"
}

use() { # GENERATION
	NAME=type3-$1
	DIR=$share/out/$NAME
	PLAN=$DIR/plan.json
	[ -s "$PLAN" ] || return 0
	BASE=$(plan_window 0 base <"$PLAN")
	SIZE=$(plan_window 0 size <"$PLAN")
}

guest_ended() {
	status_is 0
	talk_is_complete
	want_equal "boots" 2 "$(tr -d '\r' <"$DIR/console" | grep -c '^GUEST region$')"
}

function_is_there() {
	boot "$1" | grep -q '^PCI 0000:01:00.0 0x8086 0x0d93 class 0x120000 ' ||
		fail "not the emulator's function, as an accelerator"
}

region_is_there() {
	in_iomem "$1"
	locked_decoder "$1" decoder1.0
	locked_decoder "$1" decoder2.0
	region_committed "$1"
}

answer_to() {
	cat "$outside/$NAME-$1.answer"
}

guest_wrote() {
	boot "$1" | grep -qx "FILLED $(seed "$1" 2)" || fail "the guest did not fill with its seed"
	want_equal "comparison outside" "$GOOD" "$(answer_to "filled$1")"
}

guest_read() {
	want_equal "comparison in the guest" "CHECK $GOOD" "$(boot "$1" | grep '^CHECK ')"
}

# the real one has the host's base, and the guest's is another
real_decoder_stays() {
	for when in 1 2; do
		want_equal "in boot $when" "$DECODER" "$(cat "$DIR/decoder$when")"
	done
	want_equal "after the driver left" "$DECODER" "$(cat "$share/out/unbound-$NAME")"
	[ "$(number "$BASE")" != $((0xa70000000)) ] || fail "the guest's window is where the host's is"
}

# at open, before the first boot and at the reboot
resets_lose_the_decoder() {
	times=$(($(cat "$share/out/again-$NAME-after") - $(cat "$share/out/again-$NAME-before")))
	[ $times -ge 3 ] || fail "committed again $times times"
}

memory_after_reset() { # zero, or kept
	want_equal "memory after the reboot, outside" "$1" "$(answer_to after)"
}

host_address_is_not_found() {
	report 1 host >"$share/found"
	cat "$share/found"
	want_text "what was planted" '^HIT /tmp/planted' "$share/found"
	grep -v '^HIT /tmp/planted' "$share/found" >"$share/found.else"
	want_no_text "the search for the host's address" '^HIT' "$share/found.else"
	# shellcheck disable=SC2046 # numbers are words
	set -- $(sed -n 's/^SEARCHED //p' "$share/found")
	[ "$1" -ge 50 ] && [ "$2" -ge 250000 ] || fail "searched only $1 places, $2 bytes"
}

no_complaints() {
	report 2 dmesg >"$share/dmesg"
	[ -s "$share/dmesg" ] || fail "no kernel messages"
	want_no_text "kernel messages" '^DMESG <[0-3]>|BUG|Oops|WARNING|failed to (find|attach)' \
		"$share/dmesg"
}

selftests_ended() {
	want_equal "generations" "$GENERATIONS" "$(tr '\n' ' ' <"$share/out/selftests-ended" | sed 's/ $//')"
}

check "guest, programs and seeds are ready" prepare
check "the emulated host ran them" run_served_host
check "cxlvm check tells a CXL memory device from a Type-2 device" check_tells_the_type
check "without a committed decoder the driver does not take the device" uncommitted_is_refused
check "decoder 0 is committed and locked, as firmware does it" firmware_committed
for generation in $GENERATIONS; do
	use "$generation"
	G="generation $generation:"
	check "$G the guest rebooted, powered off, and cxlvm ended with 0" guest_ended
	for n in 1 2; do
		check "$G boot $n: the function is the emulator's" function_is_there $n
		check "$G boot $n: window, decoders and region as planned, locked" region_is_there $n
		check "$G boot $n: $REGION_PAGES pages of the guest's seed are in the file outside" \
			guest_wrote $n
		check "$G boot $n: $REGION_PAGES pages that were put there are found by the guest" guest_read $n
	done
	check "$G the real decoder has the host's base all the time" real_decoder_stays
	check "$G each reset loses the real decoder, and it is committed again" resets_lose_the_decoder
	case $generation in
	5 | 6) check "$G after the reboot the memory is zero" memory_after_reset zero ;;
	*) check "$G after the reboot the memory is as it was" memory_after_reset kept ;;
	esac
	check "$G no host address in all that the guest can read (P2)" host_address_is_not_found
	check "$G DMA maps and unmaps are even, by the kernel's count (DMA-4)" maps_are_even
	check "$G device memory is in the I/O address space before and after the CPU's (DMA-5)" dma_in_order
	check "$G no complaint in the guest's messages" no_complaints
done
for generation in $GENERATIONS; do
	[ ! -f "$share/out/selftest-$generation" ] || tap_take "$share/out/selftest-$generation"
done
check "the checks of the kernel's selftests came to an end in each generation" selftests_ended
check "the host's kernel has no complaint" host_has_no_complaint 'cannot be committed'
tap_end
