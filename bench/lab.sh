#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The same guest in cxlvm run (with a CXL device), in the packaged QEMU as q35 (with its emulated CXL
# device) and as microvm (no PCI): in turn, in one emulated host. In cxlvm run also with all of the
# kernel's log on the serial port. Figures of an emulated processor,
# to be compared with each other only.
#
#   lab.sh BUILD      BUILD/lab has the static cxlvm
set -eu
cd "$(dirname "$0")/.."
. tests/lab/share.sh
BUILD=$1
SHARE=$BUILD/bench-lab

share_make "$SHARE" "$BUILD"
sh lab/guest/mkguest.sh "$SHARE/plain.cpio.gz" --plain
cp bench/lab-inside.sh tests/lab/qemu.sh "$SHARE/"
sh lab/run.sh --timeout 1500 "$SHARE" lab-inside.sh >"$SHARE/said" || {
	tail -n 20 "$SHARE/said" >&2
	exit 1
}
awk '
	function median(values, n, i, j, t) {
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && values[j] < values[j - 1]; j--) {
				t = values[j]; values[j] = values[j - 1]; values[j - 1] = t
			}
		return values[int((n + 1) / 2)]
	}
	function row(label, unit, form, which,  m, k, middle) {
		printf "%-46s", label
		for (m = 1; m <= machines; m++) {
			split("", sorted)
			for (k = 1; k <= passes[name[m]]; k++)
				sorted[k] = value[name[m], which, k]
			middle = median(sorted, passes[name[m]])
			printf " %-28s", sprintf(form " (" form " .. " form ")", middle, sorted[1],
				sorted[passes[name[m]]])
		}
		print "  " unit
	}
	$1 == "PASS" { counts = $2 > 0 }
	# the guest of cxlvm once more, with all of the log on the serial port
	$1 == "MEASURED" && $2 == "cxlvm-log" && counts {
		log_took[++logs] = $5 - value["cxlvm", "kernel", logs]
		log_exits[logs] = $6 - value["cxlvm", "exits", logs]
		log_size[logs] = $8 - value["cxlvm", "size", logs]
		next
	}
	$1 == "MEASURED" && counts {
		if (!($2 in passes)) name[++machines] = $2
		k = ++passes[$2]
		value[$2, "init", k] = $4 - $3
		value[$2, "kernel", k] = $5
		value[$2, "before", k] = $4 - $3 - $5
		value[$2, "exits", k] = $6
		value[$2, "resident", k] = $7 / 1024
		value[$2, "size", k] = $8
	}
	END {
		printf "lab: median of %d boots in turn, smallest and largest\n%-46s", passes[name[1]], ""
		for (m = 1; m <= machines; m++) printf " %-28s", name[m]
		print ""
		row("start to the guest'"'"'s init", "s", "%.1f", "init")
		row("the guest kernel'"'"'s own clock then", "s", "%.1f", "kernel")
		row("before it: monitor, firmware, unpacking", "s", "%.1f", "before")
		row("exits of KVM until then", "", "%d", "exits")
		row("resident besides guest and device memory", "MiB", "%.1f", "resident")
		took = median(log_took, logs)
		printf "the kernel'"'"'s log, without quiet, in cxlvm: %.2f s (%.2f .. %.2f) of its own clock more; " \
			"at most 1: %s\n", took, log_took[1], log_took[logs], took <= 1 ? "met" : "missed"
		printf "%d characters, %d exits of KVM more\n", median(log_size, logs),
			median(log_exits, logs)
	}' "$SHARE/said"
