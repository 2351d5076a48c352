#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Seeded breakages: one line of the library is changed, and a unit test has to fail. Speaks TAP;
# run by ./dev test mutants.
#
#   run.sh WORK-FOLDER [PATTERN]    PATTERN: only mutants whose description matches
#
# tests/mutants/*.list has the mutants, separated by empty lines:
#
#   break: what no longer holds
#   file: src/decoder/decoder.c
#   test: rules                   the unit test program that is expected to notice; tried first
#   - part of a line, which occurs once in the file
#   + what stands there instead
#
# Each worker has a copy of the sources and a build of its own, in which only what a mutant changed
# is built again; programs are linked and run one by one until a test fails.
set -eu
. tests/tap.sh
work=$(realpath -m "$1")
pattern=${2:-.}
workers=$(nproc)
PROGRAM_LIMIT=300

# split - the lists as one folder per mutant: break, file, test, old, new
split() {
	rm -rf "$work/mutants"
	mkdir -p "$work/mutants"
	cat tests/mutants/*.list | awk -v to="$work/mutants" '
		/^#/ { next }
		/^$/ { open = 0; next }
		!open {
			open = 1
			folder = sprintf("%s/%03d", to, ++n)
			system("mkdir " folder)
		}
		{
			key = $1
			text = substr($0, length(key) + 2)
			name["break:"] = "break"; name["file:"] = "file"; name["test:"] = "test"
			name["-"] = "old"; name["+"] = "new"
			if (!(key in name)) {
				print "not understood: " $0
				exit 1
			}
			print text >(folder "/" name[key])
			close(folder "/" name[key])
		}'
	for mutant in "$work/mutants"/*; do
		for part in break file test old new; do
			[ -f "$mutant/$part" ] || fail "$(cat "$mutant/break"): has no $part"
		done
		grep -qE -e "$pattern" "$mutant/break" || rm -r "$mutant"
	done
	[ -n "$(ls "$work/mutants")" ] || fail "no mutants"
}

# prepare WORKER - its sources as they are now, and a build
prepare() {
	mkdir -p "$work/$1/tree"
	for file in *; do
		case $work in
		"$(realpath "$file")"/*) ;;
		*) cp -ru --preserve=mode,timestamps "$file" "$work/$1/tree" ;;
		esac
	done
	[ -f "$work/$1/build/build.ninja" ] ||
		meson setup -Doptimization=1 -Ddebug=false -Dwarnings_are_errors=false "$work/$1/build" "$work/$1/tree"
	# what a run that was stopped left changed
	for file in $(cat tests/mutants/*.list | sed -n 's/^file: //p' | sort -u); do
		cmp -s "$file" "$work/$1/tree/$file" || cp "$file" "$work/$1/tree/$file"
	done
	# first what there is to build
	ninja -C "$work/$1/build" build.ninja
	ninja -C "$work/$1/build" $(programs "$1")
}

# programs WORKER - the unit test programs, as targets of ninja
programs() {
	meson introspect --tests "$work/$1/build" | jq -r '.[] |
		select(.protocol == "tap" and (.cmd[0] | test("/tests/unit/test_[^/.]*$"))) | .cmd[0]' |
		sed "s|^$work/$1/build/||" | sort -u
}

# run_program WORKER PROGRAM LOG - in the root of the sources, as meson does
run_program() {
	(cd "$work/$1/tree" && CMOCKA_MESSAGE_OUTPUT=TAP CXLVM_SOURCE=. timeout $PROGRAM_LIMIT \
		"../build/$2" >"$3" 2>&1)
}

# The order in which programs are tried, by the time they need, is in WORK-FOLDER/order.
all_pass() {
	: >"$work/times"
	for program in $(programs 1); do
		began=$(date +%s%N)
		run_program 1 "$program" "$work/log" || {
			tail -n 20 "$work/log"
			fail "$program fails without any mutant"
		}
		echo "$((($(date +%s%N) - began) / 1000000)) $program" >>"$work/times"
	done
	sort -n "$work/times" | cut -d' ' -f2 >"$work/order"
}

# change WORKER MUTANT - puts it into the worker's sources
change() {
	OLD=$(cat "$2/old") NEW=$(cat "$2/new") awk '
		{
			at = index($0, ENVIRON["OLD"])
			if (at) {
				found++
				rest = substr($0, at + length(ENVIRON["OLD"]))
				if (index(rest, ENVIRON["OLD"]))
					found++
				$0 = substr($0, 1, at - 1) ENVIRON["NEW"] rest
			}
			print
		}
		END { exit found == 1 ? 0 : found ? 2 : 3 }' \
		"$2/original" >"$work/$1/tree/$(cat "$2/file")"
}

# hunt WORKER MUTANT - the verdict in MUTANT/verdict: "caught ...", or why not
hunt() {
	change "$1" "$2" || {
		[ $? = 2 ] && echo "the list is stale: the line occurs more than once" >"$2/verdict"
		[ -s "$2/verdict" ] || echo "the list is stale: no such line" >"$2/verdict"
		return 0
	}
	first=tests/unit/test_$(cat "$2/test")
	for program in "$first" $(grep -vx "$first" "$work/order"); do
		ninja -C "$work/$1/build" "$program" >"$2/log" 2>&1 || {
			echo "does not compile, or there is no $program" >"$2/verdict"
			return 0
		}
		rc=0
		run_program "$1" "$program" "$2/log" || rc=$?
		if [ $rc != 0 ]; then
			echo "caught by ${program##*/}: $(sed -n 's/^not ok [0-9]* - //p' "$2/log" |
				head -n 1)" >"$2/verdict"
			return 0
		fi
	done
	echo "no test fails" >"$2/verdict"
}

# worker N - every workers-th mutant
worker() {
	n=0
	for mutant in "$work/mutants"/*; do
		n=$((n + 1))
		[ $((n % workers)) = $(($1 % workers)) ] || continue
		file=$work/$1/tree/$(cat "$mutant/file")
		cp "$file" "$mutant/original"
		hunt "$1" "$mutant"
		cp "$mutant/original" "$file"
	done
}

is_caught() {
	verdict=$(cat "$1/verdict" 2>/dev/null || echo "not tried")
	case $verdict in
	caught*) ;;
	*)
		printf '%s: %s\n' "$(cat "$1/file")" "$verdict"
		printf -- '- %s\n+ %s\n' "$(cat "$1/old")" "$(cat "$1/new")"
		fail "$(tail -n 5 "$1/log" 2>/dev/null)"
		;;
	esac
}

mkdir -p "$work"
check "the lists are well formed" split
n=1
while [ $n -le "$workers" ]; do
	check "worker $n is built" prepare $n
	n=$((n + 1))
done
check "without a mutant all tests pass" all_pass
if [ $tap_failed = 0 ]; then
	progress "$(ls "$work/mutants" | wc -l) mutants, $workers at a time"
	n=1
	while [ $n -le "$workers" ]; do
		worker $n &
		n=$((n + 1))
	done
	wait
	for mutant in "$work/mutants"/*; do
		check "$(cat "$mutant/break") ($(cat "$mutant/file"))" is_caught "$mutant"
		note "$(cat "$mutant/verdict")"
	done
fi
tap_end
