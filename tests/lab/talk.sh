# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2034
# Words for conversations with the test guest (lab/guest/init): each prints lines for converse. Numbers
# in what a guest is told are hex, without 0x. Runs in the repository's root.

# at PLAN TYPE N [BAR] - address of the N-th range of this type, in hex
at() {
	jq -er --arg type "$2" --argjson n "$3" --argjson bar "${4:-null}" \
		'[.map[] | select(.type == $type and ($bar == null or .bar == $bar))][$n].resource' "$1" |
		{ read -r at_address && printf '%x\n' "$at_address"; }
}

# sum HEX HEX
sum() {
	printf '%x\n' $((0x$1 + 0x$2))
}

# tell ANSWER WORD... - say the words at the prompt, and wait for this answer
tell() {
	tell_answer=$1
	shift
	printf 'expect WAIT next\nsend %s\nexpect %s\n' "$*" "$tell_answer"
}

host() {
	echo "run $*"
}

# registers NAME - all registers of the device that talk_about chose, its host bridge and root port,
# for comparisons
registers() {
	tell "END endpoint-$1" dump "endpoint-$1" "$(sum "$EP" 11000)" 1000
	tell "END bridge-$1" dump "bridge-$1" "$(sum "$HB" 1000)" 1000
	tell "END port-$1" dump "port-$1" "$(sum "$RP" 1000)" 1000
	tell "END config-$1" dump "config-$1" "$CONFIG" 1000
}

# again THEIRS OURS - seeds for fill and check, or ""
again() {
	tell 'WAIT seed1' again
	printf 'send %s\nexpect FILLED\nexpect WAIT seed2\nsend %s\nexpect CHECK\n' "$1" "$2"
}

# talk_about PLAN [N] - what the words above are about: the N-th device of this machine, from 0; each
# has eight buses
talk_about() {
	EP=$(at "$1" bar "${2:-0}" 0)
	ENGINE=$(at "$1" bar "${2:-0}" 2)
	MSIX=$(at "$1" bar "${2:-0}" 4)
	RP=$(at "$1" root-port-bar "${2:-0}")
	HB=$(at "$1" host-bridge "${2:-0}")
	WINDOW=$(at "$1" cxl-window "${2:-0}")
	SIZE=$(jq ".windows[${2:-0}].size" "$1")
	CONFIG=$(sum "$(at "$1" ecam 0)" "$((${2:-0} * 8 + 1))00000")
}
