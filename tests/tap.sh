# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Tests in shell: a script reads this file, calls check and skip, and ends with tap_end. The output
# is TAP. Works in dash and in busybox sh.
#
#   check NAME COMMAND [ARG...]   one test: COMMAND (mostly a function) runs in a subshell with
#                                 "set -e"; it passes with status 0, otherwise its output is shown
#   skip NAME REASON              a test that cannot run here, and why
#   note TEXT                     a comment in the output
#   tap_take FILE                 results of other tests, as TAP among other lines, numbered anew
#   progress TEXT                 what is going on, for whoever is waiting
#   tap_end                       prints the plan; the status is 1 if a test failed
#
# Never call check within a condition (if, &&, ||): the shell would ignore "set -e" in the test.
# Within tests: fail TEXT, want_equal WHAT WANTED GOT, want_text WHAT PATTERN FILE.

tap_n=0
tap_failed=0
tap_out=$(mktemp)
tap_cleanup=:
# shellcheck disable=SC2154 # tap_status is set in the trap
trap 'tap_status=$?; rm -f "$tap_out"; eval "$tap_cleanup"; exit $tap_status' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

note() {
	printf '%s\n' "$*" | sed 's/^/# /'
}

progress() {
	if [ -n "${CXLVM_PROGRESS_FD:-}" ]; then
		printf '  %s\n' "$*" >&"$CXLVM_PROGRESS_FD"
	else
		note "$*"
	fi
}

tap_result() {
	tap_n=$((tap_n + 1))
	printf '%s %d - %s\n' "$1" "$tap_n" "$2"
}

check() {
	tap_name=$1
	shift
	tap_rc=0
	set +e
	(
		# the script's own clean-up is not the test's
		trap - EXIT
		set -e
		"$@"
	) >"$tap_out" 2>&1 </dev/null
	tap_rc=$?
	set -e
	if [ "$tap_rc" = 0 ]; then
		tap_result ok "$tap_name"
		return 0
	fi
	tap_failed=$((tap_failed + 1))
	tap_result 'not ok' "$tap_name"
	tail -n 40 "$tap_out" | sed 's/^/# /'
	[ "$tap_rc" = 1 ] || echo "# status $tap_rc"
	return 0
}

skip() {
	tap_n=$((tap_n + 1))
	printf 'ok %d - %s # SKIP %s\n' "$tap_n" "$1" "$2"
}

tap_take() {
	while IFS= read -r tap_line; do
		case $tap_line in
		'ok '* | 'not ok '*)
			[ "${tap_line%%ok *}" = "" ] || tap_failed=$((tap_failed + 1))
			tap_result "${tap_line%%ok *}ok" "${tap_line#* - }"
			;;
		'# '*) printf '%s\n' "$tap_line" ;;
		esac
	done <"$1"
}

tap_end() {
	printf '1..%d\n' "$tap_n"
	[ "$tap_failed" = 0 ]
}

fail() {
	printf '%s\n' "$*"
	exit 1
}

# want_equal WHAT WANTED GOT
want_equal() {
	[ "$2" = "$3" ] || fail "$1: wanted '$2', got '$3'"
}

# want_text WHAT PATTERN FILE - an extended regular expression, in any line, upper or lower case
want_text() {
	grep -qiE -e "$2" "$3" || {
		printf '%s: no line matches: %s\nit is:\n' "$1" "$2"
		cat "$3"
		exit 1
	}
}

# want_no_text WHAT PATTERN FILE
want_no_text() {
	[ -f "$3" ] || fail "$1: there is no $3"
	! grep -iE -e "$2" "$3" || fail "$1: the lines above match: $2"
}
