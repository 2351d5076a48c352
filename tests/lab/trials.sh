# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# The guest that tries things: what it is told, and what was told, for the judgement. Read after
# tests/lab/options.sh, in the repository's root.
#
# It has two devices of different sizes and two virtual CPUs, and boots four times. All it is told is in
# talk/trials.talk. Numbers in what it is told are hex, without 0x.

. tests/lab/talk.sh

TRIALS_BOOTS=4
# of the HDM decoder capability in BAR 0 of the endpoint and in the block of the host bridge
TRIALS_EP_HDM=11100
TRIALS_HB_HDM=1100
# where the sim's real decoder is: what no guest may find (docs/device.md)
TRIALS_HOST=6a700000000
TRIALS_HOST_END=6a720000000

# exits NAME - KVM's counters of the only machine there is
exits() {
	host "for f in exits io_exits irq_exits halt_exits mmio_exits pf_taken insn_emulation; do" \
		"echo \$f \$(cat /sys/kernel/debug/kvm/\$f); done >/tmp/guest/exits.$1"
}

# descriptor DIRECTION VECTOR SOURCE DESTINATION LENGTH - 64-bit addresses of 16 digits
descriptor() {
	tell DONE access w4 "$(sum "$ENGINE" 8)" "$1" w4 "$(sum "$ENGINE" c)" "$2" \
		w4 "$(sum "$ENGINE" 10)" "${3#????????}" w4 "$(sum "$ENGINE" 14)" "${3%????????}" \
		w4 "$(sum "$ENGINE" 18)" "${4#????????}" w4 "$(sum "$ENGINE" 1c)" "${4%????????}" \
		w4 "$(sum "$ENGINE" 20)" "$5" w4 "$(sum "$ENGINE" 24)" 1 \
		r4 "$(sum "$ENGINE" 28)" r4 "$(sum "$ENGINE" 2c)" r4 "$(sum "$ENGINE" 30)"
}

# wrong_descriptors - one for each error code that a guest can cause, then a right one
wrong_descriptors() {
	ram=0000000000100000
	memory=0000000000000000
	descriptor 3 0 $ram $memory 1000
	descriptor 100 9 $ram $memory 1000
	descriptor 0 0 $ram $memory 0
	descriptor 0 0 $ram $memory 4000001
	descriptor 0 0 $ram 000000000ffff800 1000
	descriptor 0 0 fffffffffffff000 $memory 2000
	descriptor 2 0 0000000000000000 0000000000000800 1000
	tell DONE access w2 "$(sum "$CONFIG" 4)" 402
	descriptor 0 0 $ram $memory 1000
	tell DONE access w2 "$(sum "$CONFIG" 4)" 406
	descriptor 0 0 00007f0000000000 $memory 1000
	host "bin/pattern check /tmp/device-memory $1 >/tmp/guest/wrong || :"
	descriptor 2 0 0000000000000000 0000000000100000 1000
	host "bin/pattern check /tmp/device-memory $1 >/tmp/guest/right || :"
	host "bin/pattern fill /tmp/device-memory $1"
}

# wrong_tries SEED OURS - the guest's driver looks at all of its DMA buffer, which the engine would read
# (direction 0) or write (1; 3 is none); then a right one of each
wrong_tries() {
	tell TRIED try 0 1000 "$1" 3 0
	for direction in 0 1; do
		tell TRIED try 0 1000 "$1" 10$direction 9
		tell TRIED try 0 0 "$1" $direction 0
		tell TRIED try 0 4000001 "$1" $direction 0
		tell TRIED try ffff800 1000 "$1" $direction 0
		tell DONE access w2 "$(sum "$CONFIG" 4)" 402
		tell TRIED try 0 1000 "$1" $direction 0
		tell DONE access w2 "$(sum "$CONFIG" 4)" 406
	done
	host "bin/pattern check /tmp/device-memory $2 >/tmp/guest/tried || :"
	tell TRIED try 0 1000 "$1" 1 0
	host "bin/pattern check /tmp/device-memory $2 >/tmp/guest/tried-from || :"
	tell TRIED try 0 1000 "$1" 0 0
	host "bin/pattern check /tmp/device-memory $2 >/tmp/guest/tried-to || :"
	host "bin/pattern fill /tmp/device-memory $2"
}

# write_all_over BLOCK HDM - every register of the decoder capability, in every width
write_all_over() {
	hdm=$(sum "$1" "$2")
	steps=
	for register in 4 10 14 18 1c 20 24 28; do
		address=$(sum "$hdm" $register)
		steps="$steps w4 $address 0 w4 $address ffffffff w1 $address 5a w1 $(sum "$address" 3) a5"
		steps="$steps w2 $(sum "$address" 1) ffff w2 $address 0"
	done
	for register in 0 8 10 18 20; do
		steps="$steps w8 $(sum "$hdm" $register) 0 w8 $(sum "$hdm" $register) 5a5a5a5a5a5a5a5a"
	done
	# shellcheck disable=SC2086 # steps are words
	tell DONE access $steps
	# odd widths read what is there: global control and control, as bytes and in pairs
	tell DONE access r4 "$(sum "$hdm" 4)" r4 "$(sum "$hdm" 20)" r1 "$(sum "$hdm" 4)" \
		r1 "$(sum "$hdm" 21)" r2 "$(sum "$hdm" 20)" r8 "$(sum "$hdm" 10)" r8 "$(sum "$hdm" 18)"
}

tries() {
	write_all_over "$EP" $TRIALS_EP_HDM
	write_all_over "$HB" $TRIALS_HB_HDM
	# what is not locked takes what is written: the engine's source, then back
	tell DONE access w4 "$(sum "$ENGINE" 10)" 12345678 r4 "$(sum "$ENGINE" 10)" w4 "$(sum "$ENGINE" 10)" 0
	# behind the window there is nothing
	gap=$(sum "$WINDOW" "$(printf '%x' $((SIZE)))")
	tell DONE access w8 "$gap" 0 w4 "$gap" 0 r8 "$gap" r4 "$gap" r2 "$gap" r1 "$(sum "$gap" 1)"
	# the endpoint's BAR over the window and back
	low=$(printf '%08x' "0x$EP")
	window=$(printf '%016x' "0x$WINDOW")
	bar=$(sum "$CONFIG" 10)
	size_register=$(sum "$(sum "$EP" $TRIALS_EP_HDM)" 18)
	tell DONE access R8 "$WINDOW" R8 "$(sum "$WINDOW" 11100)" \
		w4 "$bar" "${window#????????}" w4 "$(sum "$bar" 4)" "${window%????????}" \
		r4 "$bar" r4 "$(sum "$bar" 4)" R8 "$WINDOW" R8 "$(sum "$WINDOW" 11100)" r4 "$size_register" \
		w4 "$bar" "$low" w4 "$(sum "$bar" 4)" 0 \
		R8 "$WINDOW" R8 "$(sum "$WINDOW" 11100)" r4 "$size_register"
	host "dmesg | wc -l >/tmp/guest/host-lines.before"
	# many times, to see who writes about it
	tell DONE access "w4*5000" "$(sum "$(sum "$EP" $TRIALS_EP_HDM)" 10)" 0 \
		"w4*5000" "$(sum "$(sum "$HB" $TRIALS_HB_HDM)" 20)" 0 "w4*5000" "$gap" 0
	host "dmesg | wc -l >/tmp/guest/host-lines.after"
}

# places - what a guest can read at addresses of its own: the registers of both devices with their
# bridges and ports, the tables of the firmware, the first 64 KiB of each device's memory, and I/O
# ports, but for those of the console, where a read takes what was typed. Config space and what is
# in files is added by the guest.
places() {
	for n in 0 1; do
		talk_about "$1" $n
		echo "memory:$EP+20000 memory:$ENGINE+1000 memory:$MSIX+2000 memory:$RP+10000" \
			"memory:$HB+10000 ram:$WINDOW+10000"
	done
	echo "ram:$(at "$1" acpi-tables 0)+20000 ports:0+3f8 ports:400+1c00"
	talk_about "$1"
}

search() { # NAME FROM TO
	# shellcheck disable=SC2086 # a list of words
	tell "END $1" find "$1" "$2" "$3" $PLACES
}

# registers_of_both NAME
registers_of_both() {
	registers "$1"
	talk_about "$PLAN" 1
	registers "second-$1"
	talk_about "$PLAN"
}

# trials_boot_1 SEED... - of the guest, ours, and for the second device
trials_boot_1() {
	printf 'expect WAIT seed1\nsend %s\nexpect FILLED\nexpect WAIT seed2\n' "$1"
	host "bin/pattern check /tmp/device-memory $1 >/tmp/guest/filled || :"
	host "bin/pattern check /tmp/device-memory $2 >/tmp/guest/filled-not || :"
	host "bin/pattern fill /tmp/device-memory $2"
	printf 'send %s\nexpect CHECK\n' "$2"
	for n in 1 2 3; do
		exits "device-$n"
		again '' "$2"
	done
	exits device-4
	tell 'WAIT pass' pass 10000000
	exits ram-1
	printf 'send go\nexpect PASSED\n'
	exits ram-2
	registers_of_both start
	wrong_descriptors "$2"
	wrong_tries "$1" "$2"
	tell COPIED copy to 100000 100000 "$3"
	host "sh piece.sh has $3 >/tmp/guest/copied || :"
	host "sh piece.sh put $4"
	tell COPIED copy from 100000 100000 "$4"
	tell COPIED copy from 100000 100000 "$3"
	host "bin/pattern fill /tmp/device-memory $2"
	tries
	registers_of_both tried
	tell 'END machine' report machine
	again '' "$2"
	search host $TRIALS_HOST $TRIALS_HOST_END
	search window "$WINDOW" "$(sum "$WINDOW" "$(printf '%x' $((SIZE)))")"
	tell 'END config' report config
	tell 'END cxl' report cxl
	tell RESET flr
	registers flr
	# a kernel of generation 5 clears the memory at each reset
	again "$2" "$2"
	tell BOUND rebind
	registers bound
	tell 'END sysfs' report sysfs
	again '' "$2"
	tell DEVICE device 1
	again "$5" ''
	host "bin/pattern check /tmp/device-memory2 $5 >/tmp/guest/second || :"
	host "bin/pattern fill /tmp/device-memory2 $6"
	again '' "$6"
}

# share_talk_trials FOLDER PLAN - seeds are drawn here and kept in talk/trials.seeds
share_talk_trials() {
	PLAN=$2
	PLACES=$(places "$2" | tr '\n' ' ')
	talk_about "$2"
	for _ in 1 2 3 4 5 6 7; do
		"$1/bin/pattern" seed
	done >"$1/talk/trials.seeds"
	# shellcheck disable=SC2046 # seeds are words
	set -- "$1" $(cat "$1/talk/trials.seeds")
	for boot in $(seq $TRIALS_BOOTS); do
		echo 'expect GUEST region'
		if [ "$boot" = 1 ]; then
			trials_boot_1 "$2" "$3" "$4" "$5" "$6" "$7"
		else
			printf 'expect WAIT seed1\nsend \nexpect WAIT seed2\nsend \n'
			registers_of_both start
		fi
		if [ "$boot" = $TRIALS_BOOTS ]; then
			again "$8" "$8"
			host "bin/pattern check /tmp/device-memory $8 >/tmp/guest/filled-last || :"
			tell 'END dmesg' dmesg
			printf 'expect WAIT next\nsend poweroff\n'
		else
			tell 'END dmesg' dmesg
			printf 'expect WAIT next\nsend reboot\n'
		fi
	done >"$1/talk/trials.talk"
}
