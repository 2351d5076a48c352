# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs the emulated host as a check, and judges its kernel. Read after tests/tap.sh and share.sh, by scripts
# whose share is the folder of share_make; the host has HOST_LIMIT seconds.

# past the output of a check, for whoever is waiting
exec 4>&1

host_tells() {
	while read -r host_word host_text; do
		progress "lab: $host_word $host_text"
	done
}

# run_host SCRIPT [ARG...] - as share_run_host
run_host() {
	share_run_host "$share" "$HOST_LIMIT" host_tells "$@" >&4 || {
		cat "$share/run.error"
		fail "the emulated host failed"
	}
}

# host_has_no_complaint [PATTERN] - nor a line with this
host_has_no_complaint() {
	want_text "its messages" 'iommu group' "$share/out/dmesg"
	want_no_text "its messages" \
		"DMAR:.*fault|IO_PAGE_FAULT|cut here|WARNING:|BUG:|Oops:|Call Trace|blocked for more than${1:+|$1}" \
		"$share/out/dmesg"
}
