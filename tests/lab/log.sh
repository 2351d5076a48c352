# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# The log of a guest's kernel, as it can be compared with that of another machine.

# log_lines - from lines "LOG <level>[time] text": the texts about the platform, without what differs
# from machine to machine: addresses are BDF and BUS, ids ID, other numbers N or #; each once
log_lines() {
	sed -n -E 's/^LOG <[0-9]+>\[ *[0-9.]+\] //p' |
		grep -E 'ACPI|PCI|pci|CXL|cxl|MTRR|mtrr|ECAM|HPET|hpet|DMI|SMBIOS|PNP|pnp|APIC|rtc|serio|PS/2|bridge|resource' |
		sed -E -e 's/[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]/BDF/g' \
			-e 's/\[[0-9a-f]{4}:[0-9a-f]{4}\]/[ID]/g' \
			-e 's/\[bus [0-9a-f]{2}(-[0-9a-f]{2})?\]/[bus N]/g' \
			-e 's/pci[0-9a-f]{4}:[0-9a-f]{2}/pciBUS/g' -e 's/\b[0-9a-f]{4}:[0-9a-f]{2}\b/BUS/g' \
			-e 's/0x[0-9a-fA-F]+/#/g' -e 's/\b[0-9A-F]{6,16}\b/#/g' -e 's/[0-9]+/N/g' -e 's/ +/ /g' |
		LC_ALL=C sort -u
}
