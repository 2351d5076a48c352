# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# What the demo's guest is told. Read after tests/lab/talk.sh, in the repository's root.

# say_progress TEXT - the emulated host passes it on while the guest runs
say_progress() {
	host "echo PROGRESS $* >>/tmp/progress"
}

# both_ways NAME FILE THEIRS OURS - the guest fills the memory, the file behind it is compared and
# filled anew, the guest compares
both_ways() {
	printf 'expect WAIT seed1\nsend %s\nexpect FILLED %s\nexpect WAIT seed2\n' "$3" "$3"
	host "bin/pattern check $2 $3 >/tmp/guest/filled-$1 || :"
	host "bin/pattern fill $2 $4"
	printf 'send %s\nexpect CHECK\n' "$4"
}

demo_first_boot() { # SEED...
	say_progress "boot 1: patterns over all memory of the first device, in both directions"
	both_ways 1 /tmp/device-memory "$1" "$2"
	registers start
	tell BANDWIDTH bandwidth
	say_progress "boot 1: function-level reset, then the driver leaves and comes back"
	tell RESET flr
	registers flr
	tell BOUND rebind
	registers bound
	say_progress "boot 1: the first device again, then the second"
	again "$5" "$5"
	tell DEVICE device 1
	printf 'expect WAIT next\nsend again\n'
	both_ways second /tmp/device-memory2 "$6" "$7"
}

demo_second_boot() {
	say_progress "boot 2: patterns over all memory of the first device, in both directions"
	both_ways 2 /tmp/device-memory "$1" "$2"
	registers start
}

# share_talk_demo FOLDER PLAN - the conversation. Seeds are drawn here, outside of all machines, and
# kept in talk/demo.seeds: name of the pattern, seed of the guest, seed of ours.
share_talk_demo() {
	talk_about "$2"
	for pattern in 1 2 reset second; do
		echo "$pattern $("$1/bin/pattern" seed) $("$1/bin/pattern" seed)"
	done >"$1/talk/demo.seeds"
	# shellcheck disable=SC2046 # seeds are words
	set -- "$1" $(cut -d' ' -f2,3 "$1/talk/demo.seeds")
	{
		echo 'expect GUEST region'
		say_progress "boot 1: the guest is up, its CXL core builds two regions"
		demo_first_boot "$2" "$3" "$4" "$5" "$6" "$8" "$9"
		printf 'expect WAIT next\nsend reboot\nexpect GUEST region\n'
		demo_second_boot "$4" "$5"
		printf 'expect WAIT next\nsend dmesg\nexpect WAIT next\nsend poweroff\n'
	} >"$1/talk/demo.talk"
}
