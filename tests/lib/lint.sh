#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Style of all files of the repository. Speaks TAP; run by ./dev lint.
set -eu
. tests/tap.sh

LINES_MAX=800

# files PATTERN... - all files whose name matches, outside of builds and of git's folder
files() {
	for pattern in "$@"; do
		find . \( -path ./build -o -path ./.git \) -prune -o -type f -name "$pattern" -print
	done | sort
}

# everything that is written by hand, program or text
written() {
	find . \( -path ./build -o -path ./.git -o -path ./lab/reference \) -prune -o \
		-type f ! -name '*.log' -print | sort
}

shell_scripts() {
	written | while read -r file; do
		case $file in
		*.sh) echo "$file" ;;
		*) ! head -n 1 "$file" | grep -qE '^#!.*/(busybox sh|sh|bash)' || echo "$file" ;;
		esac
	done
}

format() {
	[ -n "$(files '*.c' '*.h')" ] || fail "no C files"
	files '*.c' '*.h' | xargs clang-format --dry-run -Werror 2>&1 | grep -E 'error:' >"$tap_out.f" || :
	cut -d: -f1 "$tap_out.f" | sort | uniq -c
	bad=$(wc -l <"$tap_out.f")
	rm -f "$tap_out.f"
	[ "$bad" = 0 ] || fail "places per file above; mend with: clang-format -i FILE"
}

syntax() {
	bad=0
	for file in $(shell_scripts); do
		case $(head -n 1 "$file") in
		*bash*) bash -n "$file" || bad=1 ;;
		*) sh -n "$file" || bad=1 ;;
		esac
	done
	[ $bad = 0 ]
}

length() {
	written | xargs wc -l | awk -v max=$LINES_MAX '$2 != "total" && $1 > max { print; bad = 1 }
		END { exit bad }' || fail "these files have more than $LINES_MAX lines"
}

# the license stands in the first lines of everything that can carry a comment
license_line() {
	bad=0
	for file in $(files '*.c' '*.h' '*.S' '*.py' '*.awk' meson.build meson_options.txt) \
		$(shell_scripts); do
		head -n 3 "$file" | grep -q 'SPDX-License-Identifier: BSD-3-Clause' || {
			echo "$file"
			bad=1
		}
	done
	[ $bad = 0 ] || fail "no SPDX line in the first three lines"
}

no_leftovers() {
	! written | xargs grep -nIE '\b(TO[D]O|FIX[M]E|XX[X])\b' || fail "unfinished"
}

no_machine_paths() {
	! written | xargs grep -nIE '(^|[^A-Za-z0-9_}"./-])/(wor[k]|hom[e]/[a-z]+|roo[t])/' ||
		fail "folders of one machine"
	! written | xargs grep -nIE '[a-z]+://[a-z0-9.-]*(deb[i]an|ubunt[u]|pyp[i]|mirro[r])[a-z0-9.-]*/' ||
		fail "addresses of package servers"
}

tabs() {
	! shell_scripts | xargs grep -nE '^ +[^ *#]' || fail "shell is indented with tabs"
}

check "C is formatted as .clang-format says" format
check "shell scripts are valid" syntax
check "no file has more than $LINES_MAX lines" length
check "the license is named at the top of each file" license_line
check "nothing is marked as unfinished" no_leftovers
check "no paths or hosts of one machine" no_machine_paths
check "shell is indented with tabs" tabs
tap_end
