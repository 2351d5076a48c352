#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# cxlvm list and check on captured machines. A machine is two files of tests/machines: NAME.machine,
# the tree (cxlvm-list(1) has the format), and NAME.expect, commands with what they print: a line
# "$ COMMAND", output and messages, and a line "= STATUS".
#
#   machines.sh [--write]    --write: take the commands, and write what they print now; then look
#                            at the difference
set -eu
. tests/tap.sh
. tests/lib/monitor.sh

# printed NAME - what the commands of the machine print now
printed() {
	grep '^\$ cxlvm ' "tests/machines/$1.expect" | while read -r _ _ arguments; do
		echo "\$ cxlvm $arguments"
		rc=0
		# shellcheck disable=SC2086 # arguments
		timeout 60 "$CXLVM" $arguments --sysfs "tests/machines/$1.machine" 2>&1 </dev/null || rc=$?
		echo "= $rc"
	done
}

machine() {
	printed "$1" >"$WORK/printed"
	diff -u "tests/machines/$1.expect" "$WORK/printed" || fail "what differs is above"
}

# each link is shown broken by a machine, and seen in order by another one
every_link_breaks() {
	cat tests/machines/*.expect >"$WORK/all"
	for link in cpu kvm iommu vfio device kernel binding group access decoder reset memlock \
		address-width; do
		want_text "the machines" "^BROKEN   $link " "$WORK/all"
	done
	for link in $(jq -r '.links[].link' "$WORK/links"); do
		want_text "the machines" "^ok       $link |^unknown  $link " "$WORK/all"
	done
}

# what mends is a command or a setting, for each link that is broken in any machine
every_broken_link_has_a_hint() {
	for file in tests/machines/*.machine; do
		rc=0
		"$CXLVM" check --json --sysfs "$file" >"$WORK/json" 2>/dev/null || rc=$?
		[ $rc != 2 ] || continue
		jq -e 'all(.links[]; .state != "broken" or (.hint | length > 0))' "$WORK/json" >/dev/null ||
			fail "$file: a link that is broken says not what to do"
		jq -e '.ready == all(.links[]; .state != "broken") and
			.first_broken == ([.links[] | select(.state == "broken") | .link][0]) and
			.complete == all(.links[]; .state != "unknown")' "$WORK/json" >/dev/null ||
			fail "$file: ready, first_broken and links do not agree"
		[ "$(jq .ready "$WORK/json")" = "$([ $rc = 0 ] && echo true || echo false)" ] ||
			fail "$file: status $rc"
	done
}

# a machine that was captured is captured as it is
capture_is_the_same() {
	for file in tests/machines/*.machine; do
		"$CXLVM" list --sysfs "$file" --capture "$WORK/once"
		"$CXLVM" list --sysfs "$WORK/once" --capture "$WORK/twice"
		cmp "$WORK/once" "$WORK/twice" || fail "$file: not the same when captured again"
		"$CXLVM" list --numeric --json --sysfs "$file" >"$WORK/a"
		"$CXLVM" list --numeric --json --sysfs "$WORK/once" >"$WORK/b"
		cmp "$WORK/a" "$WORK/b" || fail "$file: list of what was captured differs"
		# who has a device open is not captured
		[ "$file" != tests/machines/held.machine ] || continue
		"$CXLVM" check --json --sysfs "$file" >"$WORK/a" 2>&1 || :
		"$CXLVM" check --json --sysfs "$WORK/once" >"$WORK/b" 2>&1 || :
		cmp "$WORK/a" "$WORK/b" || fail "$file: check of what was captured differs"
	done
}

if [ "${1:-}" = --write ]; then
	for file in tests/machines/*.machine; do
		name=${file##*/}
		name=${name%.machine}
		[ -f "tests/machines/$name.expect" ] ||
			printf '$ cxlvm list --numeric\n$ cxlvm check\n' >"tests/machines/$name.expect"
		printed "$name" >"$WORK/printed"
		cp "$WORK/printed" "tests/machines/$name.expect"
	done
	exit 0
fi
"$CXLVM" check --json --sysfs tests/machines/amd-type2.machine >"$WORK/links" || :
for file in tests/machines/*.machine; do
	name=${file##*/}
	name=${name%.machine}
	check "$name: $(sed -n '2s/^# //p' "$file")" machine "$name"
done
check "each link breaks in a machine" every_link_breaks
check "each broken link says what mends it, and text, JSON and status agree" \
	every_broken_link_has_a_hint
check "what was captured is the machine" capture_is_the_same
tap_end
