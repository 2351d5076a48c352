#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# clang-tidy, cppcheck and gcc's analyzer over everything that is compiled. Speaks TAP; run by
# ./dev analyze. What they are asked and what is left out: .clang-tidy, .cppcheck.
#
#   analyze.sh BUILD-FOLDER ANALYZER-FOLDER
#
# The first is configured (compile_commands.json), the second was built by a gcc with -fanalyzer,
# its output is in ANALYZER-FOLDER.log.
set -eu
. tests/tap.sh
build=$1
analyzer=$2

# the programs of the lab; what belongs to a kernel is left out, as its headers are not here
lab_sources() {
	find lab tests/lab -name '*.c' ! -path 'lab/guest/driver/*' ! -path 'lab/module/*'
}

# The sources that meson compiles, each once, without those it generates, and those of the lab.
sources() {
	lab_sources
	jq -r '.[] | .directory + "/" + .file' "$build/compile_commands.json" | grep '\.c$' |
		xargs realpath --relative-to=. | grep -v "^${build%%/*}/" | sort -u
}

# complaints FILE PATTERN - each once; fails if there are any
complaints() {
	found=$(sed 's|^\(\.\./\)*||; s|^[^ :]*/\.\./\.\./||' "$1" | grep -E "$2" | sort -u)
	[ -z "$found" ] || fail "$found"
}

tidy() {
	[ -n "$(sources)" ] || fail "no sources"
	sources | xargs -n 4 -P "$(nproc)" clang-tidy --quiet -p "$build" \
		--extra-arg=-DCXLVM_ANALYZE "--extra-arg=-I$PWD/src" "--extra-arg=-I$PWD/lab" >"$tap_out.tidy" 2>&1 || :
	complaints "$tap_out.tidy" '(warning|error):|^Error'
}

cpp_check() {
	cppcheck --enable=warning,performance,portability --quiet --std=c11 -j "$(nproc)" \
		--project="$build/compile_commands.json" -DCXLVM_ANALYZE --suppressions-list=.cppcheck \
		--suppress='*:*/build/*' --error-exitcode=1 2>&1
	cppcheck --enable=warning,performance,portability --quiet --std=c11 --error-exitcode=1 \
		--suppressions-list=.cppcheck -Isrc -Iinclude -Ilab $(lab_sources)
}

# gcc loses sight of what the elements of an array own when the index is a variable: it says that
# something leaks, and mostly has no name for it. These keep such memory until they are closed.
gcc_analyzer() {
	[ -s "$analyzer.log" ] || fail "no $analyzer.log"
	grep -vE -e '(monitor/control|src/vfio/user/inventory)\.c:.*leak of .*<unknown>' \
		-e 'cli/(capture|fs_live)\.c:.*leak of .*copy' \
		"$analyzer.log" >"$tap_out.gcc" || :
	complaints "$tap_out.gcc" 'warning:|error:'
}

check "clang-tidy has nothing to say" tidy
check "cppcheck has nothing to say" cpp_check
check "gcc -fanalyzer has nothing to say" gcc_analyzer
rm -f "$tap_out.tidy" "$tap_out.gcc"
tap_end
