# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Runs test programs that speak TAP, and counts. Read by ./dev; needs BUILD (folder of all builds),
# which gets the output of each program in BUILD/log/.

passed=0
failed=0
skipped=0

# log_of LABEL - where the output of a program is kept
log_of() {
	mkdir -p "$BUILD/log"
	printf '%s/log/%s.tap\n' "$BUILD" "$(printf '%s' "$1" | tr -c 'A-Za-z0-9._-' _)"
}

# run_tap LABEL SECONDS COMMAND [ARG...] - one program: prints failures and skips, adds to the
# counts. What the program writes to descriptor 3 (progress) is shown at once.
run_tap() {
	label=$1
	limit=$2
	shift 2
	log=$(log_of "$label")
	{
		CXLVM_PROGRESS_FD=3 sh tests/lib/one.sh "$log" "$limit" "$@"
	} 3>&1
	count_tap "$label" "$limit"
}

# count_tap LABEL SECONDS - judge what one.sh left behind
count_tap() {
	log=$(log_of "$1")
	status=$(cat "$log.status" 2>/dev/null || echo 255)
	rm -f "$log.status"
	awk -v label="$1" -v status="$status" -v limit="$2" \
		-f tests/lib/tap.awk "$log" >"$log.summary"
	sed '/^= /d' "$log.summary"
	# shellcheck disable=SC2046 # three numbers
	add_counts $(sed -n 's/^= //p' "$log.summary")
}

add_counts() {
	passed=$((passed + $1))
	failed=$((failed + $2))
	skipped=$((skipped + $3))
}

# print_counts PASSED FAILED SKIPPED
print_counts() {
	printf '%d passed, %d failed' "$1" "$2"
	[ "$3" = 0 ] || printf ', %d skipped' "$3"
	echo
}
