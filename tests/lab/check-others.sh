#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Judge the guests that go wrong on purpose, or have no device, or are old.
#
#   check-others.sh SHARE-FOLDER
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lib/plan.sh
. tests/lab/judge.sh
SHARE=$1
WORK=$(mktemp -d)
tap_cleanup='rm -rf "$WORK"'

# of GUEST FUNCTION - the function with DIR set
of() {
	DIR=$SHARE/out/$1
	[ -f "$DIR/console" ] || fail "no artifacts in $DIR"
	shift
	"$@"
}

said() {
	tr -d '\r' <"$DIR/console" | grep -qx "$1" || {
		tail -n 20 "$DIR/console"
		fail "the guest did not say: $1"
	}
}

# fails COMMAND... - a judgement that is right for a good guest has to fail for this one
fails() {
	set +e
	(
		set -e
		"$@"
	) >"$WORK/fails" 2>&1
	rc=$?
	set -e
	[ $rc != 0 ] || fail "this passed although the host bridge's decoder is broken: $*"
}

broken_has_no_region() {
	status_is 0
	said 'FAILED no region'
	want_text "kernel messages" 'failed to find decoder mapping' "$DIR/console"
}

broken_judged() {
	BASE=$(plan_window 0 base <"$SHARE/plan.json")
	SIZE=$(plan_window 0 size <"$SHARE/plan.json")
	fails region_committed 1
	fails locked_decoder 1 decoder1.0
	# what does not hang on that decoder is still there: the switch breaks one thing
	want_equal "CXL Window 0" "$(number "$BASE") $(number "$SIZE")" "$(iomem 1 'CXL Window 0')"
	decoder 1 decoder0.0
}

no_device_boots() {
	status_is 0
	said 'FAILED no region'
	said 'GUEST region'
}

no_device_is_clean() {
	tables 1 "$WORK/tables"
	[ -s "$WORK/tables/DSDT.aml" ] || fail "no DSDT"
	[ ! -e "$WORK/tables/CEDT.aml" ] || fail "there is a CEDT"
	! grep -aqE 'ACPI001[67]' "$WORK/tables/DSDT.aml" || fail "the DSDT names CXL objects"
	want_equal "CXL devices in sysfs" "" "$(report 1 sysfs)"
	report 1 iomem >"$WORK/iomem"
	want_no_text "/proc/iomem" 'CXL|region[0-9]' "$WORK/iomem"
	report 1 pci >"$WORK/pci"
	want_no_text "PCI devices" 'is_cxl 1' "$WORK/pci"
	want_no_text "trace" 'cxl_' "$DIR/monitor"
}

no_device_has_pci_root() {
	report 1 dmesg >"$WORK/dmesg"
	want_text "kernel messages" 'acpi PNP0A08:00: _OSC' "$WORK/dmesg"
	want_no_text "kernel messages" 'ACPI001[67]' "$WORK/dmesg"
}

old_kernel_runs() {
	status_is 0
	talk_is_complete
	case $(value 1 kernel UNAME) in
	6.1.*) ;;
	*) fail "this is kernel $(value 1 kernel UNAME)" ;;
	esac
}

# a root port and behind it the device, with a BAR that has an address
old_kernel_sees_device() {
	report 1 pci >"$WORK/pci"
	cat "$WORK/pci"
	want_text "PCI devices" '^PCI 0000:00:[0-9a-f.]+ .* class 0x060400 ' "$WORK/pci"
	device=$(sed -n 's/^PCI \(0000:0[1-9a-f]:[0-9a-f.]*\) .*/\1/p' "$WORK/pci")
	want_equal "devices behind the root port" 1 "$(printf '%s\n' "$device" | grep -c .)"
	want_text "PCI devices" "^RESOURCE $device 0 0x0*[1-9a-f]" "$WORK/pci"
}

hang_dumped() {
	status_is 1
	said 'GUEST hang'
	want_text "cxlvm" 'time.limit' "$DIR/monitor"
	for register in rip rsp cr3; do
		want_text "registers" "${register}[ =:]+(0x)?[0-9a-f]+" "$DIR/monitor"
	done
	want_text "code" '^code:.*<[0-9a-f][0-9a-f]>' "$DIR/monitor"
	want_text "stack" '^stack:' "$DIR/monitor"
	# the end of the console is shown as well
	want_text "console" 'GUEST hang' "$DIR/monitor"
}

hang_in_time() {
	seconds=$(cat "$DIR/seconds")
	[ "$seconds" -ge 39 ] && [ "$seconds" -le 60 ] ||
		fail "stopped after $seconds s instead of 40"
}

triple_fault() {
	status_is 1
	said 'GUEST panic'
	want_text "cxlvm" 'triple fault' "$DIR/monitor"
	want_equal "boots" 1 "$(tr -d '\r' <"$DIR/console" | grep -c '^GUEST panic$')"
}

check "--break hb-decoder: the guest finds no region and says why" of broken broken_has_no_region
check "--break hb-decoder: the judgement of a good guest fails" of broken broken_judged
check "no device: the same guest boots and powers off" of no-device no_device_boots
check "no device: no leftovers of CXL" of no-device no_device_is_clean
check "no device: there is a PCI root" of no-device no_device_has_pci_root
check "Debian 12's own kernel boots and powers off" of old old_kernel_runs
check "Debian 12's own kernel sees root port and device" of old old_kernel_sees_device
check "a guest that hangs: exit status 1, registers, stack and console" of hang hang_dumped
check "a guest that hangs: stopped at the time limit" of hang hang_in_time
check "a triple fault: exit status 1, said so, not taken for a reboot" of panic triple_fault
tap_end
