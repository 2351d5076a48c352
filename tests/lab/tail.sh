# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# The guest that commits less than its device has, so that the window has a tail without memory; what it
# is told. Read after tests/lab/trials.sh, in the repository's root. Numbers are hex, without 0x.

# shellcheck disable=SC2034 # for who reads this file
TAIL_OPTIONS='--memory 512M'
# half of the device memory
TAIL_COMMITTED=10000000

# commit HDM SIZE [TARGET] - of a decoder that is not committed: its control at the end
commit() {
	window=$(printf '%016x' "0x$WINDOW")
	target=
	[ -z "${3:-}" ] || target="w4 $(sum "$1" 24) $3"
	# shellcheck disable=SC2086 # words
	tell DONE access w4 "$(sum "$1" 10)" "${window#????????}" w4 "$(sum "$1" 14)" "${window%????????}" \
		w4 "$(sum "$1" 18)" "$2" w4 "$(sum "$1" 1c)" 0 $target w4 "$(sum "$1" 20)" 200 r4 "$(sum "$1" 20)"
}

# commit_both SIZE - the port's number is 1
commit_both() {
	commit "$(sum "$EP" $TRIALS_EP_HDM)" "$1"
	commit "$(sum "$HB" $TRIALS_HB_HDM)" "$1" 1
}

# read_all_over ADDRESS - in all widths, uncached, and write-back
read_all_over() {
	echo "r8 $1 r4 $1 r2 $1 r1 $(sum "$1" 1) R8 $1"
}

write_all() { # ADDRESS
	echo "w8 $1 0 w4 $1 0 w2 $1 0 w1 $1 0 W8 $1 0"
}

# share_talk_tail FOLDER PLAN
share_talk_tail() {
	talk_about "$2"
	tail=$(sum "$WINDOW" $TAIL_COMMITTED)
	last=$(sum "$WINDOW" "$(printf '%x' $((SIZE - 8)))")
	seed=$("$1/bin/pattern" seed)
	echo "$seed" >"$1/talk/tail.seeds"
	{
		echo 'expect GUEST reach'
		tell DONE access w2 "$(sum "$CONFIG" 4)" 2
		host "bin/pattern fill /tmp/device-memory $seed"
		commit_both $TAIL_COMMITTED
		tell DONE access R8 "$WINDOW" R8 "$(sum "$WINDOW" ffffff8)"
		# shellcheck disable=SC2046 # words
		tell DONE access $(read_all_over "$tail") $(read_all_over "$last") $(write_all "$tail") \
			$(write_all "$last") $(read_all_over "$tail") $(read_all_over "$last")
		host "dmesg | wc -l >/tmp/guest/host-lines.before"
		tell DONE access "w8*5000" "$tail" 0 "w4*5000" "$last" 0 "r8" "$tail"
		host "dmesg | wc -l >/tmp/guest/host-lines.after"
		host "bin/pattern check /tmp/device-memory $seed >/tmp/guest/tail || :"
		# the control: with all of the memory committed the same place is memory
		tell DONE access w4 "$(sum "$EP" 11120)" 0 w4 "$(sum "$HB" 1120)" 0
		commit_both "$(printf '%x' $((SIZE)))"
		tell DONE access R8 "$tail" R8 "$last" W8 "$tail" 0 R8 "$tail"
		host "bin/pattern check /tmp/device-memory $seed >/tmp/guest/committed || :"
		tell 'END dmesg' dmesg
		printf 'expect WAIT next\nsend poweroff\n'
	} >"$1/talk/tail.talk"
}
