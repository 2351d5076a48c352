#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# cxlvm list and check on an emulated host: an NVMe function behind an IOMMU, which is given to vfio-pci
# with the commands that check prints, and one device of the lab for each generation. Speaks TAP.
#
#   operators.sh SHARE-FOLDER BUILD-FOLDER
#
# SHARE-FOLDER is made anew.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
share=$1
build=$2
HOST_LIMIT=300
# (no_timer_check: on a busy machine the emulated timer is late for the kernel, which then gives up)

prepare() {
	rm -rf "$share"
	mkdir -p "$share/out"
	cp "$build/lab/cli/cxlvm" tests/lab/operators-inside.sh "$share/"
	cp "$(sh lab/module.sh)" "$share/cxlvm_lab.ko"
}

run_host() {
	sh lab/run.sh --timeout $HOST_LIMIT --append 'intel_iommu=on iommu=nopt no_timer_check' --qemu '-device intel-iommu,intremap=on
		-device pcie-root-port,id=p1,chassis=1,slot=1
		-drive if=none,id=nd,file=null-co://,file.size=64M,format=raw
		-device nvme,drive=nd,serial=x,bus=p1,cmb_size_mb=64,legacy-cmb=on' \
		"$share" operators-inside.sh >"$share/said.log" 2>"$share/run.error" || {
		cat "$share/run.error"
		fail "the emulated host failed"
	}
}

# ended NAME STATUS FIRST-BROKEN
ended() {
	want_equal "status of $1" "$2" "$(sed -n "s/^STATUS $1 //p" "$share/said.log")"
	want_equal "first broken of $1" "$3" "$(jq -r '.first_broken // "none"' "$share/out/$1")"
}

# of NAME LINK [KEY] - what the link says
of() {
	jq -r --arg link "$2" --arg key "${3:-message}" '.links[] | select(.link == $link) | .[$key]' \
		"$share/out/$1"
}

all_functions_are_seen() {
	want_equal "functions" "$(cat "$share/out/functions")" \
		"$(jq .functions "$share/out/list-unbound")"
	want_equal "devices" 0 "$(jq '.devices | length' "$share/out/list-unbound")"
	want_equal "devices" "$function vfio-pci" \
		"$(jq -r '.devices[] | select(.pci) | "\(.host) \(.driver)"' "$share/out/list")"
	want_equal "others" 6 "$(jq '[.devices[] | select(.driver == "cxlvm_lab")] | length' "$share/out/list")"
}

the_command_binds_it() {
	ended unbound 1 binding
	want_text "the command" 'driver_override' "$share/out/bind"
	ended bound 0 none
	want_equal "generation of a plain device" ok "$(of bound generation state)"
}

a_user_gets_it() {
	ended nobody-access 1 access
	want_equal "the file" "chown 65534 /dev/vfio/${group:?}" "$(cat "$share/out/chown")"
	ended nobody-memlock 1 memlock
	want_text "the numbers" 'locked memory: 65536 KiB are needed for DMA, the limit is 8192 KiB' \
		"$share/out/nobody-memlock"
	ended nobody-ready 0 none
	want_equal "complete for another user" false "$(jq .complete "$share/out/nobody-ready")"
}

who_has_it() {
	ended held 1 access
	want_text "the holder" "in use by process $holder \\(sleep\\)" "$share/out/held"
}

# the link, and what the transport says when the device is opened all the same
one_wording() {
	for link in message hint; do
		want_equal "$link: not bound" "$(of unbound generation $link)" "$(of unbound binding $link)"
		want_equal "$link: in use" "$(of held generation $link)" "$(of held access $link)"
	done
}

generations_are_told() {
	n=0
	for generation in 2 2 3 4 5 5; do
		ended generation-$n 0 none
		want_equal "generation of device $n" "the kernel's CXL interface is of generation $generation" \
			"$(of generation-$n generation)"
		want_equal "memory of device $n" ok "$(of generation-$n mmap state)"
		want_equal "complete" true "$(jq .complete "$share/out/generation-$n")"
		n=$((n + 1))
	done
	ended no-mmap 1 mmap
	ended chain-loops 1 generation
}

# what the device answered is in the capture, and means the same
opened_captures_mean_the_same() {
	for n in 0 1 2 3 4 5; do
		"$build/default/cli/cxlvm" check --json --open --sysfs "$share/out/generation-$n.machine" \
			"cxlvm_lab.$n" >"$share/out/replayed-$n" || :
		cmp "$share/out/generation-$n" "$share/out/replayed-$n" || fail "device $n"
	done
	want_equal "status without a place for it" 1 "$(sed -n 's/^STATUS nowhere //p' "$share/said.log")"
	want_text "the message" 'cannot write /nowhere/x' "$share/out/nowhere"
}

# by the device's own count: once for each check --open, never without
nothing_is_opened_unasked() {
	want_equal "opens" "1 1 1 1 1 1 1" "$(sed -n 's/^OPENS //p' "$share/said.log" | tr '\n' ' ' |
		sed 's/ $//')"
	ended looked-at 0 none
	want_equal "generation" unknown "$(of looked-at generation state)"
}

capture_is_the_host() {
	cmp "$share/out/list" "$share/out/list-captured" || fail "list differs"
	cmp "$share/out/live" "$share/out/captured" || fail "check differs"
	want_no_text "the capture" 'UUID|[Ss]erial' "$share/out/machine"
}

kernel_has_no_complaint() {
	! grep -nE 'cut here|WARNING|BUG|Oops|Call Trace|DMAR:.*fault' "$share/out/dmesg" ||
		fail "the kernel's messages are in $share/out/dmesg"
}

progress "lab: list and check in an emulated host"
check "program and module are ready" prepare
check "the emulated host ran them" run_host
function=$(sed -n 's/^FUNCTION //p' "$share/said.log")
holder=$(sed -n 's/^HOLDER //p' "$share/said.log")
group=$(jq -r '.devices[] | select(.pci) | .iommu_group' "$share/out/list" 2>/dev/null || :)
check "all PCI functions are looked at, devices of VFIO are listed" all_functions_are_seen
check "the command that check prints binds the function" the_command_binds_it
check "the commands that check prints give it to another user" a_user_gets_it
check "who has the device open is named" who_has_it
check "check and the transport have the same words" one_wording
check "check --open tells each generation, and what breaks" generations_are_told
check "a capture of an opened device is checked as the device" opened_captures_mean_the_same
check "no device is opened unless asked for" nothing_is_opened_unasked
check "list and check of the captured host are those of the host" capture_is_the_host
check "the kernel has no complaint" kernel_has_no_complaint
tap_end
