#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Each requirement and the tests that prove it, by the names of the tests as they stand in the
# sources: functions and rows of tables in C, the names given to check in shell.
#
#   ids.sh [FOLDER-OF-TESTS]
set -eu
TESTS=${1:-tests}

# A test that is not run is no test: the compiler warns of a function that nobody uses.
c_tests() {
	find "$TESTS" -name 'test_*.c' | sort | while read -r file; do
		program=$(basename "$file" .c)
		sed -n -e 's/^static void \([a-z0-9_]*\)(void \*\*state)$/\1/p' \
			-e 's/^[[:space:]]*{ "\([a-z0-9]*_[a-z0-9_]*\)",.*/\1/p' "$file" |
			sed "s|^|${program#test_}	|"
	done
}

shell_tests() {
	find "$TESTS" -name '*.sh' ! -name tap.sh | sort | while read -r file; do
		program=${file#"$TESTS"/}
		sed -n -e 's/^[[:space:]]*check "\([^"]*\)".*/\1/p' "$file" |
			sed "s|^|${program%.sh}	|"
	done
}

{
	c_tests
	shell_tests
} | awk -f tests/lib/ids.awk "$TESTS/ids" -
