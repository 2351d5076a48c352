# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# What "cxlvm plan --json" says, read from standard input. The only place, with
# tests/monitor/plan.sh, that knows its shape. Addresses and sizes are printed in hex.

# plan_hex FILTER - the number that FILTER picks
plan_hex() {
	plan_number=$(jq -er "$1") || return 1
	printf '0x%x\n' "$plan_number"
}

# plan_window N base|size
plan_window() {
	case $2 in
	base) plan_hex ".windows[$1].resource" ;;
	*) plan_hex ".windows[$1].$2" ;;
	esac
}

# plan_bridge N uid|base - of the CXL host bridges
plan_bridge() {
	case $2 in
	base) plan_hex "[.hosts[] | select(.hid == \"ACPI0016\")][$1].component_registers" ;;
	*) plan_hex "[.hosts[] | select(.hid == \"ACPI0016\")][$1].$2" ;;
	esac
}

plan_phys_bits() {
	jq -er '.phys_bits'
}

# plan_decoder N resource|size|control - endpoint decoder of device N
plan_decoder() {
	plan_hex "[.decoders[] | select(.endpoint)][$1].$2"
}

# plan_locked_hdm N FILE - base, low, high and control of that decoder, as traced_hdm prints them
plan_locked_hdm() {
	plan_base=$(plan_decoder "$1" resource <"$2") || return 1
	printf '0x%x 0x%x 0x%x %s\n' $((plan_base)) $((plan_base & 0xf0000000)) \
		$((plan_base >> 32)) "$(plan_decoder "$1" control <"$2")"
}

# traced_hdm LINE - the same from a line of the trace cxl_locked_hdm
traced_hdm() {
	printf '%s\n' "$1" | sed 's/.* base=\([^ ]*\) base_low=\([^ ]*\) base_high=\([^ ]*\) control=\([^ ]*\).*/\1 \2 \3 \4/'
}
