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

# dword NUMBER - its bytes, as a machine has them
dword() {
	printf '%02x %02x %02x %02x' $(($1 & 0xff)) $(($1 >> 8 & 0xff)) $(($1 >> 16 & 0xff)) \
		$(($1 >> 24 & 0xff))
}

# decoders COUNT CONTROL SKIP-LOW SKIP-HIGH OTHER - what check says of a machine with these decoders:
# their count code, registers of decoder 0, control register of decoder 1; sets rc
decoders() {
	sed -e "s/^\t1100: ../\t1100: $(dword "$1" | cut -c 1-2)/" \
		-e "s/^\t1120: .\{35\}/\t1120: $(dword "$2") $(dword "$3") $(dword "$4")/" \
		-e "s/^\t1140: .\{11\}/\t1140: $(dword "$5")/" \
		tests/machines/two-decoders.machine >"$WORK/decoders"
	rc=0
	"$CXLVM" check --sysfs "$WORK/decoders" >"$WORK/out" || rc=$?
}

# what realize refuses is not called ready, in the same words and with what mends it: REG-8, REG-9, CHK-5
refused_decoders() {
	decoders 0 0x700 0 0 0
	want_text "a decoder that can be passed through" '^ok       decoder ' "$WORK/out"
	want_equal status 0 "$rc"
	grep -v '^#' tests/machines/decoders.list >"$WORK/list"
	while IFS='	' read -r refusal count control low high other message; do
		decoders "$count" "$control" "$low" "$high" "$other"
		grep -F -A 1 "BROKEN   decoder        $message" "$WORK/out" >"$WORK/said" || {
			cat "$WORK/out"
			fail "$refusal: check does not say: $message"
		}
		want_text "what mends it" '^ +mend it: .{20}' "$WORK/said"
		want_equal "$refusal: status" 1 "$rc"
	done <"$WORK/list"
}

# nothing that the library refuses is left out of the list
refusals_are_listed() {
	sed -n 's/^\t{ \([a-z_]*\), -E.*/\1/p' src/vfio/refuse_decoder.c | sort >"$WORK/refusals"
	sed '/^#/d;s/	.*//' tests/machines/decoders.list | sort -u | diff "$WORK/refusals" -
}

# huge_pages SHMEM_ENABLED STATE
huge_pages() {
	sed "s/madvise \[never\]/madvise never/;s/ $1 / [$1] /;s/ $1\$/ [$1]/;s/\t$1 /\t[$1] /" \
		tests/machines/no-huge-pages.machine >"$WORK/huge"
	"$CXLVM" check --json --sysfs "$WORK/huge" >"$WORK/out"
	want_equal "huge pages of $1" "$2" \
		"$(jq -r '.links[] | select(.link == "huge-pages") | .state' "$WORK/out")"
}

# guest memory is memory of the process (monitor/ram.c): what is said of shared memory does not count
huge_pages_of_guest_memory() {
	for word in always madvise; do
		huge_pages "$word" ok
	done
	huge_pages never warning
}

# access STATE MESSAGE LINE... - of a machine whose files of VFIO are these
access() {
	state=$1 message=$2
	shift 2
	sed '/ \/dev\/vfio\//d;/ \/dev\/iommu$/d' tests/machines/intel-type2.machine >"$WORK/nodes"
	printf '%s\n' "$@" >>"$WORK/nodes"
	"$CXLVM" check --json --sysfs "$WORK/nodes" >"$WORK/out" || :
	jq -r '.links[] | select(.link == "access") | .state, .message, .hint' "$WORK/out" >"$WORK/link"
	want_equal "state with $*" "$state" "$(head -n 1 "$WORK/link")"
	want_text "access with $*" "$message" "$WORK/link"
}

# what run opens, and who has it
files_that_run_opens() {
	cdev='node rw 0660 root:kvm /dev/vfio/devices/vfio0'
	iommu='node rw 0660 root:kvm /dev/iommu'
	group='node rw 0660 root:kvm /dev/vfio/23'
	container='node rw 0666 root:root /dev/vfio/vfio'
	access ok '^/dev/vfio/devices/vfio0 and /dev/iommu can' "$cdev" "$iommu" "$group" "$container"
	access ok '^/dev/vfio/23 and /dev/vfio/vfio can' "$group" "$container"
	access ok '^/dev/vfio/devices/vfio0 and' "$cdev" "$iommu" \
		'node -- 0600 root:root /dev/vfio/23' "$container"
	access ok '^/dev/vfio/23 and' "$cdev" 'node -- 0600 root:root /dev/iommu' "$group" "$container"
	access broken 'open /dev/iommu .*root:root, mode 0600' "$cdev" 'node -- 0600 root:root /dev/iommu'
	access broken 'open /dev/vfio/devices/vfio0 .*root:root, mode 0600' "$iommu" \
		'node -- 0600 root:root /dev/vfio/devices/vfio0'
	access broken 'open /dev/vfio/vfio .*mode 0600' "$group" 'node -- 0600 root:root /dev/vfio/vfio'
	access broken 'usermod -aG kvm .*id -un 0' 'node -- 0660 root:kvm /dev/vfio/23' "$container"
	access broken 'there is no /dev/iommu' "$cdev"
	access broken 'modprobe iommufd' "$cdev"
	for held in /dev/vfio/devices/vfio0 /dev/vfio/23; do
		access broken 'in use by process 77 \(qemu\)' "$cdev" "$iommu" "$group" "$container" \
			"link /proc/77/fd/9 -> $held" 'text r- /proc/77/comm' '	qemu'
	done
	access unknown 'only root can see' "$group" "$container" 'dir -- /proc/77/fd'
	access broken 'in use by process 78' "$group" "$container" 'dir -- /proc/77/fd' \
		'link /proc/78/fd/9 -> /dev/vfio/23'
	access ok 'can be used$' "$group" "$container" 'link /proc/78/fd/9 -> /dev/null'
}

# generations and window as values, and left out where they are not known
listed() {
	"$CXLVM" list --json --sysfs "tests/machines/$1.machine" >"$WORK/out"
	want_equal "$1: $2" "$3" "$(jq -c "[.devices[] | $2]" "$WORK/out")"
}

generations_and_window() {
	listed intel-type2 .generations '[[4,5,6]]'
	listed amd-type2 .generations '[[2]]'
	for name in disable-cxl vendor-driver lab-module; do
		want_equal "$name" false "$("$CXLVM" list --json --sysfs "tests/machines/$name.machine" |
			jq '[.devices[] | has("generations")] | any')"
	done
	listed lab-cxl '.window.decoder // "-"' '["-","decoder0.0"]'
	listed intel-type2 '.window.resource' '[277025390592]'
	listed uncommitted 'has("window")' '[false]'
	# one byte more than the window
	sed 's/^\t1110: 00 00 00 80/\t1110: 00 00 00 90/' tests/machines/intel-type2.machine >"$WORK/moved"
	want_equal "window of a decoder that is not inside" false \
		"$("$CXLVM" list --json --sysfs "$WORK/moved" | jq '.devices[0] | has("window")')"
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
check "generations and window are values of list --json" generations_and_window
check "access is to the files that run opens" files_that_run_opens
check "a decoder that is refused when it is opened is not ready, in the same words" refused_decoders
check "all that the library refuses of a decoder is tried" refusals_are_listed
check "huge pages are those of guest memory" huge_pages_of_guest_memory
check "each link breaks in a machine" every_link_breaks
check "each broken link says what mends it, and text, JSON and status agree" \
	every_broken_link_has_a_hint
check "what was captured is the machine" capture_is_the_same
tap_end
