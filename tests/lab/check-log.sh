#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Judge the log of the guest's kernel in cxlvm run and in QEMU: what differs is explained in
# docs/kernel-log.md.
#
#   check-log.sh SHARE-FOLDER
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lab/judge.sh
. tests/lab/log.sh
SHARE=$1
PAGE=docs/kernel-log.md
WORK=$(mktemp -d)
tap_cleanup='rm -rf "$WORK"'

log_of() {
	DIR=$SHARE/out/$1
	[ -f "$DIR/console" ] || fail "no artifacts in $DIR"
	report 1 log >"$WORK/$1.raw"
	grep -q 'Linux version' "$WORK/$1.raw" && grep -q 'cxlvm_t2' "$WORK/$1.raw" ||
		fail "this is not a whole log: $(wc -l <"$WORK/$1.raw") lines"
	log_lines <"$WORK/$1.raw" >"$WORK/$1"
}

logs_are_there() {
	log_of log
	log_of log-q35
	LC_ALL=C comm -23 "$WORK/log" "$WORK/log-q35" >"$WORK/only-log"
	LC_ALL=C comm -13 "$WORK/log" "$WORK/log-q35" >"$WORK/only-log-q35"
	# the comparison compares: most lines are common, CXL's among them
	[ "$(LC_ALL=C comm -12 "$WORK/log" "$WORK/log-q35" | wc -l)" -ge 40 ] || fail "few common lines"
	LC_ALL=C comm -12 "$WORK/log" "$WORK/log-q35" >"$WORK/common"
	want_text "common lines" 'host supports CXL' "$WORK/common"
	want_text "common lines" 'MTRR map: ' "$WORK/common"
}

# patterns TITLE - those in the table below this title, without the backslash that a table needs
patterns() {
	awk -v title="## $1" '/^## / { on = $0 == title } on && /^\| `/' "$PAGE" | sed 's/\\|/\a/g' |
		cut -d'|' -f2 | tr '\a' '|' | grep -o '`[^`]*`' | tr -d '`'
}

explained() { # LINES TITLE
	[ -s "$1" ] || fail "no lines"
	patterns "$2" >"$WORK/patterns"
	[ -s "$WORK/patterns" ] || fail "no patterns below '$2' in $PAGE"
	grep -vE -f "$WORK/patterns" "$1" >"$WORK/unexplained" || :
	want_no_text "lines that $PAGE does not explain" . "$WORK/unexplained"
}

# what is explained is there
current() { # LINES TITLE
	patterns "$2" >"$WORK/patterns"
	while IFS= read -r pattern; do
		grep -qE -- "$pattern" "$1" || echo "$pattern"
	done <"$WORK/patterns" >"$WORK/stale"
	want_no_text "patterns of $PAGE that match no line" . "$WORK/stale"
}

# the differences that matter
region_only_here() {
	want_text "here" 'cxlvm_tN BDF: region' "$WORK/only-log"
	DIR=$SHARE/out/log-q35
	report 1 pci | grep -q 'class 0x050210' || fail "QEMU's guest has no CXL memory device"
	report 1 sysfs | grep -q 'decoder0.0/start' || fail "QEMU's guest has no CXL window"
}

no_warnings() {
	[ -s "$WORK/log.raw" ] || fail "no log"
	sed -n -E 's/^LOG <[0-4]>\[ *[0-9.]+\] //p' "$WORK/log.raw" |
		grep -v 'loading out-of-tree module taints' >"$WORK/warnings" || :
	cat "$WORK/warnings"
	grep -E 'ACPI|PCI|pci|CXL|cxl|MTRR|ECAM' "$WORK/warnings" && fail "warnings as above"
	return 0
}

check "both logs are whole, and comparable" logs_are_there
check "lines that only cxlvm run has are explained" explained "$WORK/only-log" 'Only in `cxlvm run`'
check "lines that only QEMU has are explained" explained "$WORK/only-log-q35" 'Only in QEMU'
check "no explanation of lines of cxlvm run is out of date" current "$WORK/only-log" \
	'Only in `cxlvm run`'
check "no explanation of lines of QEMU is out of date" current "$WORK/only-log-q35" 'Only in QEMU'
check "a region is in cxlvm run only; QEMU's guest has window and device" region_only_here
check "no warning about the platform in the whole log" no_warnings
tap_end
