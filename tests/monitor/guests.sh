#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The guest with the tests (tests/guest) on this machine's /dev/kvm: what it finds out about the
# machine from the inside, and what the monitor says meanwhile.
set -eu
. tests/tap.sh
. tests/lib/monitor.sh
F=$WORK/files

# passed TEST [WORD...] -- [OPTION...] - it has to end well, with checks that were all good
passed() {
	guest "$@"
	[ "$rc" = 0 ] && grep -q '^guest: passed$' "$WORK/out" || {
		grep '^bad' "$WORK/out" || tail -n 5 "$WORK/out"
		cat "$WORK/err"
		fail "exit status $rc"
	}
	nothing_left
}

ONE='--device sim,size=256M'
K3='--cpus 3'

registers_of_all() {
	for generation in 2 2n 3 4 5 6; do
		case $generation in
		2* | 3) ras=0 ;;
		*) ras=1 ;;
		esac
		passed registers devices=1 ras=$ras -- --device sim,size=256M,generation=$generation
	done
}

several_devices() {
	passed registers devices=3 -- --device sim,size=256M --device sim,size=1G \
		--device sim,size=512M,generation=2
}

# 32 of them: every bridge, port, decoder and window
many_devices() {
	# shellcheck disable=SC2046 # lists of words
	passed registers devices=20 -- $(yes -- '--device sim,size=256M' | head -n 32)
}

# a word in each page, each of them found in the file from outside
memory_is_the_files() {
	seed=$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')
	passed memory "seed=$seed" stride=1000 -- --device "sim,size=256M,memory-file=$F/memory"
	want_equal "pages in the file" "pages 65536 bad 0 first_bad none" \
		"$("$F/pattern" check "$F/memory" "$seed" 1)"
	rm "$F/memory"
}

# the guest programs both decoders, moves them and resets the device; no commit that failed is silent
decoder_of_the_guest() {
	for generation in 2 2n 3 4 5 6; do
		passed decoder -- --device sim,size=512M,generation=$generation,decoder=guest
		want_text "a warning for each commit that failed" \
			'^event: warning device=sim0 error=.* is not inside window ' "$WORK/err"
	done
}

# content-lost is said after each reset but the first
reset_events() {
	want_equal "content-lost events" "$1" "$(grep -c '^event: content-lost' "$WORK/err")"
}

# the CPU's map goes before each reset and comes back after it, under CPUs as fast as the processor
map_follows_resets() {
	want_equal "the map, with five resets" \
		"enable disable enable disable enable disable enable disable enable disable enable" \
		"$(sed -n 's/^trace: cxl_map_\(enable\|disable\) .*/\1/p' "$WORK/err" | head -n 11 | xargs)"
}

storm() {
	# shellcheck disable=SC2086 # lists of words
	passed "$1" user=1 -- $ONE $K3 --trace 'cxl_map_*'
	reset_events 5
	map_follows_resets
}

cxl_reset() {
	# shellcheck disable=SC2086 # lists of words
	passed storm-cxl user=1 -- $ONE $K3 --trace 'cxl_map_*'
	map_follows_resets
	! grep -q '^guest: no CXL reset' "$WORK/out" || fail "the device has no CXL reset"
}

# Two clients of the control socket reset device and machine, each kind in turn, while two CPUs store.
resets_from_outside() {
	"$CXLVM" run --kernel "$F/guest" --memory 128M --append 'test=hammer user=1' $ONE $K3 \
		--control "$F/control" --time-limit 100 >"$WORK/out" 2>"$WORK/err" </dev/null &
	pid=$!
	for _ in $(seq 100); do
		! grep -q '^guest: waiting' "$WORK/out" || break
		sleep 0.1
	done
	for client in 1 2; do
		for _ in $(seq 12); do
			for reset in 'sim0 flr' 'sim0 cxl' 'sim0 bus' ''; do
				# shellcheck disable=SC2086 # words
				"$CXLVM" ctl "$F/control" reset $reset >>"$F/answers-$client" 2>&1 ||
					echo "status $?: reset $reset" >>"$F/bad-$client"
			done
		done &
		eval "client$client=$!"
	done
	# shellcheck disable=SC2154 # set by eval
	wait $client1 $client2
	for client in 1 2; do
		[ ! -e "$F/bad-$client" ] || fail "$(cat "$F/bad-$client" "$F/answers-$client" "$WORK/err")"
	done
	"$CXLVM" ctl --json "$F/control" status >"$F/status"
	"$CXLVM" ctl "$F/control" stop
	rc=0
	wait $pid || rc=$?
	want_equal "exit status" 0 "$rc"
	# two that are asked for at once may be one
	resets=$(jq .result.resets "$F/status")
	[ "$resets" -ge 12 ] && [ "$resets" -le 24 ] || fail "$resets resets of the machine, not 12 to 24"
	want_equal "memory is mapped" true "$(jq '.result.devices[0].memory_mapped' "$F/status")"
	rm -f "$F"/answers-* "$F/status"
}

kvm_error_is_reported() {
	guest no-code -- $ONE
	want_equal "exit status" 1 "$rc"
	want_text "the message" 'KVM cannot go on with the guest \(internal error 1\)' "$WORK/err"
	want_text "the registers" '^registers: virtual CPU 0, last exit reason 17' "$WORK/err"
	want_text "where it was" '^registers: rip 0xe0' "$WORK/err"
	nothing_left
}

crash_is_reported() {
	guest triple-fault -- --cpus 2
	want_equal "exit status" 1 "$rc"
	want_text "the message" 'crashed \(triple fault\)' "$WORK/err"
	want_text "the registers" '^registers: virtual CPU 0, last exit reason 8' "$WORK/err"
	want_text "the other CPU" '^registers: virtual CPU 1 was not started' "$WORK/err"
	nothing_left
}

# stopped SIGNAL STATUS - a guest that never ends, on several CPUs, stopped from outside
stopped() {
	# what another machine said there is not this one's
	: >"$WORK/out"
	"$CXLVM" run --kernel "$F/guest" --memory 128M --append "test=$3" $K3 --time-limit 50 \
		>"$WORK/out" 2>"$WORK/err" </dev/null &
	pid=$!
	for _ in $(seq 100); do
		! grep -q '^guest: waiting' "$WORK/out" || break
		sleep 0.1
	done
	kill -"$1" $pid
	rc=0
	wait $pid || rc=$?
	want_equal "exit status" "$2" "$rc"
	want_text "the message" 'stopped by signal' "$WORK/err"
}

time_limit() {
	on_scene "$CXLVM" run --kernel "$F/guest" --memory 128M --append test=halt --time-limit 1
	want_equal "exit status" 1 "$rc"
	want_text "the message" 'not done after 1 s \(--time-limit\)' "$WORK/err"
	want_text "registers" '^registers: rip' "$WORK/err"
}

no_reboot() {
	# shellcheck disable=SC2086 # lists of words
	guest storm-system -- $K3 $ONE --no-reboot
	want_equal "exit status" 0 "$rc"
	! grep -q '^event: system-reset' "$WORK/err" || fail "it was reset"
	! grep -q '^guest: passed' "$WORK/out" || fail "the guest went on"
}

# the same guest by the other entry, also after a reset of the machine
elf_kernel() {
	mv "$F/guest" "$F/bzimage"
	cp "$F/guest.elf" "$F/guest"
	passed registers devices=1 ras=1 -- $ONE --initrd "$F/bzimage"
	passed storm-system -- $ONE $K3
	mv "$F/bzimage" "$F/guest"
}

no_numa_without_asking() {
	guest numa memory=8000000 -- $ONE
	want_text "the guest" '^bad: there is an SRAT' "$WORK/out"
}

echoes() {
	printf 'abq' | "$CXLVM" run --kernel "$F/guest" --memory 128M --append test=echo \
		--time-limit 50 >"$WORK/out"
	want_equal "bytes" '0x61 0x62 0x71' "$(sed -n 's/^got: //p' "$WORK/out" | xargs)"
}

bits=$("$CXLVM" plan --json | jq .phys_bits)
if reason=$(have_kvm); then
	sh "$PAYLOAD_TOOL" tests "$F/guest"
	gcc -std=c11 -O2 -o "$F/pattern" lab/tools/pattern.c
	check "p1_ovl6_locked_decoders_do_not_change_an_unlocked_register_does" registers_of_all
	check "ovl_several_devices_each_with_bridge_port_and_window" several_devices
	check "ovl_32_devices_each_with_bridge_port_and_window" many_devices
	check "p5_the_guests_words_are_in_the_devices_file" memory_is_the_files
	check "p3_memory_enable_off_and_on" passed memory-enable -- $ONE
	check "ovl5_registers_move_with_their_bar_and_memory_does_not" passed bar -- $ONE
	check "map4_resets_of_the_function_while_two_cpus_store" storm storm-flr
	check "rst2_bus_resets_while_two_cpus_store" storm storm-bus
	check "rst3_cxl_resets_while_two_cpus_store" cxl_reset
	check "prg1_resets_of_the_machine_while_two_cpus_store" storm storm-system
	check "rst2_resets_by_the_control_socket_while_two_cpus_store" resets_from_outside
	check "rst_msix_after_a_function_reset_and_a_bus_reset" passed reset-msix -- $ONE
	check "rst_the_port_after_a_reset_of_the_machine" passed reset-port -- $ONE
	check "rst_a_port_that_masks_bus_resets_passes_none_on" passed bus-masked -- $ONE
	check "prg2_policy_guest_both_decoders_programmed_from_the_inside" decoder_of_the_guest
	check "dma_copies_with_an_interrupt_each_way" passed engine seed=c0ffee -- $ONE
	check "dma_copies_on_two_devices" passed engine seed=1 -- $ONE --device sim,size=512M
	check "dma_wrong_commands_end_with_their_error_and_nothing_else" passed engine-errors \
		memory=8000000 -- $ONE
	check "ovl4_masks_and_pending_bits_of_msix" passed masks -- $ONE
	check "every CPU of the MADT starts" passed cpus cpus=4 -- --cpus 4
	check "one CPU" passed cpus cpus=1 --
	check "CPUID describes the virtual machine" passed cpuid "bits=$(printf '%x' "$bits")" -- $K3
	check "an ELF kernel by its PVH entry" elf_kernel
	check "acpi_numa_gives_each_window_a_node" passed numa memory=8000000 -- --numa $K3 $ONE \
		--device sim,size=512M
	check "without --numa there is no SRAT" no_numa_without_asking
	check "RAM below and above 4 GiB" passed ram memory=180000000 -- $ONE --memory 6G
	check "what is typed gets to the guest" echoes
	check "what KVM cannot run is reported, with the registers" kvm_error_is_reported
	check "a crash is reported with the registers of all CPUs" crash_is_reported
	check "SIGTERM ends guests that are busy" stopped TERM 143 forever
	check "SIGHUP ends guests that sleep" stopped HUP 129 halt
	check "--no-reboot ends the run where the guest resets itself" no_reboot
	check "the time limit ends a guest that sleeps" time_limit
else
	skip "guests on this machine" "$reason; they also run in the lab"
fi
tap_end
