# SPDX-License-Identifier: BSD-3-Clause
# Reads the TAP of one test program and prints what needs attention: failed tests with their
# output, and why tests were skipped. The last line is "= PASSED FAILED SKIPPED".
#
# Variables: label (name of the program), status (its exit status), limit (its time limit).
# A program passes as a whole only if it has a plan, kept it, and ended with the right status.

function bad(text) {
	failed++
	printf "  FAILED %s: %s\n", label, text
	shown = 0
	while (kept_from < kept_to)
		print "    " kept[kept_from++]
}

function forget() {
	kept_from = kept_to = 0
}

/^1\.\.[0-9]+/ {
	plan += substr($1, 4)
	have_plan = 1
	next
}

/^(not )?ok( |$)/ {
	result = /^not/ ? "not ok" : "ok"
	text = $0
	sub(/^(not )?ok *[0-9]* *-? */, "", text)
	seen++
	after_failure = 0
	if (text ~ /# *SKIP/) {
		skipped++
		name = reason = text
		sub(/ *# *SKIP.*/, "", name)
		sub(/.*# *SKIP */, "", reason)
		printf "  skipped %s: %s%s\n", label, name, (name != "" ? ": " : "") reason
	} else if (result == "ok") {
		passed++
	} else {
		bad(text)
		after_failure = 1
	}
	forget()
	next
}

# cmocka's word about a group as a whole
/^# (not )?ok - / {
	next
}

# what a failed test says comes before or after its line
/^#/ && after_failure {
	if (shown++ < 60)
		print "    " $0
	next
}

{
	kept[kept_to++] = $0
	if (kept_to - kept_from > 40)
		kept_from++
}

END {
	if (status == 124 || status == 137)
		bad("not done after " limit " s")
	else if (status > 128)
		bad("ended by signal " (status - 128))
	else if (!have_plan)
		bad("ended with status " status " and said nothing about its tests")
	else if (seen < plan)
		bad(plan - seen " of " plan " tests did not run (status " status ")")
	else if (status != 0 && failed == 0)
		bad("all tests passed, but the program ended with status " status)
	printf "= %d %d %d\n", passed, failed, skipped
}
