# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# What KVM counts while a guest without an operating system passes over all of its device memory
# (tests/guest/passes.c). Between two looks at the counters there is nothing but the pass: interrupts are
# off, and orders go through the memory of a second device. Works in busybox sh; speaks TAP.
#
# Environment: CXLVM, GUEST (made by payload.sh tests), PATTERN (lab/tools/pattern), WORK (a folder with
# 300 MB of room in a tmpfs, where nothing is written back and so no page is protected again). With TELL (a
# library to be loaded before libc: tests/monitor/tell_counters.c) the counters are asked from it and not in
# debugfs, and the passes are in ring 3, which a software KVM does not emulate.
set -eu
here=$(dirname "$0")
if [ -f "$here/tap.sh" ]; then
	. "$here/tap.sh"
else
	. "$here/../tap.sh"
fi
mkdir -p "$WORK"
pid=
tap_cleanup='[ -z "$pid" ] || kill "$pid" 2>/dev/null; rm -rf "$WORK"'
ORDERS='f m m r t'
# these are not for ring 3
[ -n "${TELL:-}" ] || ORDERS="$ORDERS p c s"
COUNTERS='insn_emulation mmio_exits pf_taken io_exits exits'
# 256 MiB in words of 8 bytes
WORDS=33554432
# of the orders that are no passes
TIMES=1000

# order LETTER - wait until it is done
order() {
	printf %s "$1" | dd of="$WORK/box" conv=notrunc 2>/dev/null
	for _ in $(seq 600); do
		[ "$(od -An -tu1 -N 1 "$WORK/box" | tr -d ' ')" != 0 ] || return 0
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.1
	done
	cat "$WORK/out" "$WORK/err"
	fail "order $1 was not done"
}

# counters FILE - a line of those of this machine alone
counters() {
	[ -z "${TELL:-}" ] || timeout 5 cat "$WORK/pipe" >"$WORK/told"
	for counter in $COUNTERS; do
		if [ -n "${TELL:-}" ]; then
			# once: who tells may have begun anew before who read had closed
			sed -n "/^$counter /{s///p;q;}" "$WORK/told" | grep .
		else
			cat "/sys/kernel/debug/kvm/$pid"-*/"$counter"
		fi
	done | xargs >"$WORK/$1"
	want_equal "counters" 5 "$(wc -w <"$WORK/$1")"
}

# answer - how many words were compared, and how many of them differed
answer() {
	od -An -v -tu8 -j 8 -N 16 "$WORK/box" | xargs
}

# What each pass adds to the counters, as lines "LETTER WORDS BAD NUMBER..."
passes() {
	for letter in $ORDERS; do
		counters before
		order $letter
		counters after
		added=$(cat "$WORK/before" "$WORK/after" |
			awk 'NR == 1 { split($0, b) } NR == 2 { for (i = 1; i <= NF; i++) printf " %d", $i - b[i] }')
		echo "$letter $(answer)$added" >>"$WORK/added"
	done
	order e
	want_equal "orders carried out" "$ORDERS" "$(cut -d' ' -f1 "$WORK/added" | xargs)"
}

powered_off() {
	cat "$WORK/err"
	want_equal "exit status" 0 $rc
	want_text "the guest's last word" '^guest: passed' "$WORK/out"
}

# each LETTER COUNT PATTERN - what these orders compared and added, in the order of COUNTERS
each() {
	cat "$WORK/added"
	want_equal "orders $1 with $3" "$2" "$(grep -Ecx "$1 $3" "$WORK/added")"
}

# each pass has compared what the one before had stored, and stored something else
memory_is_renewed() {
	last=$(printf '%x' $((0x$SEED + 3)))
	want_equal "pages" "pages 65536 bad 0 first_bad none" "$("$PATTERN" check "$WORK/memory" "$last")"
}

first_pass_faults() {
	cat "$WORK/added"
	# shellcheck disable=SC2046 # numbers are words
	set -- $(grep '^f ' "$WORK/added")
	# 2 MiB each at most
	[ "$6" -ge 128 ] || fail "pf_taken $6 in the first pass"
}

# KVM emulates an instruction to skip it where neither processor nor exit tell it the next one: the
# lab's processor does not, and the exit of a port access does.
skipped_by_emulation() {
	nrips=$(cat /sys/module/kvm_amd/parameters/nrips)
	echo "nrips: $nrips"
	case $nrips in
	N | 0) emulated=$TIMES ;;
	*) emulated=0 ;;
	esac
	each c 1 "0 0 $emulated 0 0 0 [0-9]+"
	each s 1 "0 0 $emulated 0 0 0 [0-9]+"
}

SEED=$(printf '%x' $((0x$("$PATTERN" seed) & 0xffffffff)))
set -- "$CXLVM" run --kernel "$GUEST" --memory 128M
if [ -n "${TELL:-}" ]; then
	mkfifo "$WORK/pipe"
	set -- env "LD_PRELOAD=$TELL" "TELL_COUNTERS=$WORK/pipe" "$@" --cpus 2
fi
"$@" --append "test=passes seed=$SEED ${TELL:+user=1}" \
	--device "sim,size=256M,memory-file=$WORK/memory" \
	--device "sim,size=256M,memory-file=$WORK/box" --time-limit 300 \
	>"$WORK/out" 2>"$WORK/err" </dev/null &
pid=$!
for _ in $(seq 300); do
	! grep -q '^guest: waiting' "$WORK/out" || break
	sleep 0.1
done
check "all orders were carried out" passes
# a guest that waits for the next order would do so up to its limit
[ "$tap_failed" = 0 ] || kill "$pid" 2>/dev/null || :
rc=0
wait "$pid" || rc=$?
pid=
check "the guest powered off" powered_off
[ ! -f "$WORK/added" ] || note "order, words, bad, $COUNTERS: $(sed 's/$/;/' "$WORK/added" | xargs)"
check "a pass over device memory adds 0 to insn_emulation, mmio_exits, pf_taken and io_exits" \
	each m 2 "$WORDS 0 0 0 0 0 [0-9]+"
check "as does a pass over RAM" each r 1 "$WORDS 0 0 0 0 0 [0-9]+"
check "a register that is read in a pass over device memory is counted, once" \
	each t 1 "$WORDS 0 1 1 [0-9]+ 0 [0-9]+"
check "the first pass has page faults" first_pass_faults
check "p5_every_word_of_all_of_the_memory_was_compared_and_stored_anew" memory_is_renewed
if [ -n "${TELL:-}" ]; then
	tap_end
	exit
fi
check "port reads are counted, and not as emulated instructions" each p 1 "0 0 0 0 0 $TIMES [0-9]+"
check "CPUID and RDMSR are emulated instructions for a KVM that is not told the next one" skipped_by_emulation
tap_end
