#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# USDT probes: one for each trace point, with all arguments, in the library and in the program; and
# the page about them names all of them.
#
#   probes.sh CXLVM true|false [LIBRARY]   (true: built with probes)
set -eu
. tests/tap.sh
CXLVM=$1
PROBES=$2
LIBRARY=${3:-}
WORK=$(mktemp -d)
tap_cleanup='rm -rf "$WORK"'

# What the program itself says that there is.
"$CXLVM" plan --trace no-such-trace-point 2>&1 | sed -n 's/^  hint: trace points are //p' |
	tr -d ' ' | tr ',' '\n' | sort >"$WORK/names"

# probes FILE - "name number-of-arguments" of each probe of our provider, all with a semaphore
probes() {
	readelf -n "$1" | awk '
		/Provider:/ { ours = $2 == "cxlvm" }
		/Name:/ { name = $2 }
		/Semaphore:/ && ours && $NF ~ /^0x0*$/ { print "no semaphore: " name; exit 1 }
		/Arguments:/ && ours { print name, NF - 1 }' | sort
}

has_all() {
	probes "$1" >"$WORK/probes"
	sed 's/$/ 6/' "$WORK/names" >"$WORK/wanted"
	diff "$WORK/wanted" "$WORK/probes"
}

names_there() {
	[ "$(wc -l <"$WORK/names")" -ge 15 ] || fail "few trace points: $(cat "$WORK/names")"
	grep -qx cxl_locked_hdm "$WORK/names" || fail "no cxl_locked_hdm"
}

documented() {
	sed -n 's/^| `\(cxl_[a-z_]*\)` |.*/\1/p' docs/tracing.md | sort >"$WORK/documented"
	diff "$WORK/names" "$WORK/documented"
}

check "the program names its trace points" names_there
check "docs/tracing.md has every trace point, and no other" documented
if [ "$PROBES" = true ]; then
	check "the program has a probe for each trace point" has_all "$CXLVM"
	if [ -n "$LIBRARY" ]; then
		check "the shared library has a probe for each trace point" has_all "$LIBRARY"
	else
		skip "the shared library has a probe for each trace point" "there is none: static build"
	fi
else
	skip "a probe for each trace point" "built without probes: no sys/sdt.h, or switched off"
fi
tap_end
