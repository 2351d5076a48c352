# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# The groups of tests: each function runs one and adds to the counts of runner.sh. Read by ./dev.

# run_unit_in BUILD-FOLDER PREFIX FILTER - the test programs that meson knows of and the jq filter
# picks, as many at once as there are processors
run_unit_in() {
	mkdir -p "$BUILD/log"
	meson introspect --tests "$1" | jq "[.[] | select($3)]" >"$BUILD/log/tests.json"
	# one line per program: label, time limit, and a command for a shell
	jq -r '.[] | "'"$2"'" + .name + "\t\(.timeout)\tenv " +
		(.env | to_entries | map("\(.key)=\(.value)") | @sh) + " CMOCKA_MESSAGE_OUTPUT=TAP " +
		(if .protocol == "tap" then "" else "sh tests/lib/exitcode.sh " + (.name | @sh) + " " end) +
		(.cmd | @sh)' <"$BUILD/log/tests.json" >"$BUILD/log/tests.list"
	[ -s "$BUILD/log/tests.list" ] || die "no unit tests in $1"
	run_list
}

# run_list - the test programs of tests.list, as many at once as there are processors
run_list() {
	: >"$BUILD/log/tests.commands"
	while IFS='	' read -r label limit command; do
		rm -f "$(log_of "$label").status"
		printf 'sh tests/lib/one.sh %s %d %s\0' "'$(log_of "$label")'" "$limit" "$command" \
			>>"$BUILD/log/tests.commands"
	done <"$BUILD/log/tests.list"
	xargs -0 -n 1 -P "$(nproc)" sh -c <"$BUILD/log/tests.commands"
	while IFS='	' read -r label limit command; do
		count_tap "$label" "$limit"
	done <"$BUILD/log/tests.list"
}

tier_unit() {
	build_default
	say "unit: the test programs of $BUILD/default"
	run_unit_in "$BUILD/default" "" true
	say "unit: freestanding rooms"
	run_tap freestanding 60 sh tests/lib/freestanding.sh "$BUILD/freestanding"
	say "unit: the same test programs with ASan and UBSan"
	build_tests_in asan -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1
	# the last two only save time: memory is not kept as long after its end, and not by mmap
	export ASAN_OPTIONS=detect_leaks=1:quarantine_size_mb=16:clear_shadow_mmap_threshold=100000000
	export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	run_unit_in "$BUILD/asan" "asan/" "$UNIT_PROGRAMS"
	unset ASAN_OPTIONS UBSAN_OPTIONS
	say "unit: left out: clang, thread sanitizer, a big-endian machine; they are in ./dev test full"
}

tier_monitor() {
	build_default
	build_static
	say "monitor: the cxlvm program"
	mkdir -p "$BUILD/log"
	# the longest first, so that none is left over at the end
	for name in guests user passes bad-input control memory-error device $(ls tests/monitor | sed -n 's/\.sh$//p'); do
		printf 'monitor/%s\t300\tenv CXLVM_BUILD=%s sh tests/monitor/%s.sh\n' "$name" "'$BUILD'" "$name"
	done | awk '!seen[$0]++' >"$BUILD/log/tests.list"
	run_list
	say "monitor: left out: Linux guests, they are part of the lab tier"
}

tier_interop() {
	build_default
	need_lab interop || return 0
	run_tap interop/tables 300 sh tests/interop/tables.sh "$BUILD/default"
	say "interop: packaged QEMU with a server that is built with ASan and UBSan"
	build_server_asan
	run_tap interop/qemu 600 env CXLVM_BUILD="$BUILD" CXLVM_SERVER="$BUILD/asan/cli/cxlvm" \
		UBSAN_OPTIONS=halt_on_error=1 sh tests/interop/qemu.sh "$BUILD/interop-run"
	say "interop: cxlvm run with the same build of the server"
	run_tap interop/user 300 env CXLVM_BUILD="$BUILD" CXLVM_SERVER="$BUILD/asan/cli/cxlvm" \
		UBSAN_OPTIONS=halt_on_error=1 sh tests/monitor/user.sh
}

tier_lab() {
	build_default
	build_static
	need_lab lab || return 0
	share=$BUILD/lab-run
	export CXLVM_BUILD="$BUILD"
	run_tap lab/boot 3700 sh tests/lab/boot.sh "$share"
	run_tap lab/payload 10 cat "$share/out/payload/tap"
	run_tap lab/passes 10 cat "$share/out/payload/passes"
	run_tap lab/guests 10 cat "$share/out/payload/suite"
	run_tap lab/region-5 120 sh tests/lab/check-region.sh "$share" region-5
	run_tap lab/region-2 120 sh tests/lab/check-region.sh "$share" region-2
	run_tap lab/trials 120 sh tests/lab/check-trials.sh "$share"
	run_tap lab/tail 120 sh tests/lab/check-tail.sh "$share"
	run_tap lab/others 60 sh tests/lab/check-others.sh "$share"
	run_tap lab/log 60 sh tests/lab/check-log.sh "$share"
	run_tap lab/vfio 2450 sh tests/lab/vfio.sh "$BUILD/lab-vfio"
	run_tap lab/vfio-5 120 sh tests/lab/check-region.sh "$BUILD/lab-vfio" vfio-5
	run_tap lab/vfio-2 120 sh tests/lab/check-region.sh "$BUILD/lab-vfio" vfio-2
	run_tap lab/selftest 700 sh tests/lab/selftest.sh "$BUILD/lab-selftest"
	[ -z "${LAB_FULL:-}" ] || run_tap lab/function 1850 sh tests/lab/function.sh "$BUILD/lab-function"
	run_tap lab/group 1850 sh tests/lab/group.sh "$BUILD/lab-group"
	run_tap lab/operators 350 sh tests/lab/operators.sh "$BUILD/lab-operators" "$BUILD"
	build_server_asan
	run_tap lab/user 3050 env CXLVM_SERVER="$BUILD/asan/cli/cxlvm" sh tests/lab/user.sh "$BUILD/lab-user"
	# again, so that nobody misses it
	grep -h '^REPEATED' "$share/said.log" | sed 's/^/lab: /' || :
	[ -n "${LAB_FULL:-}" ] || say "lab: left out: guests on a PCI function and on a CXL memory device; they are in ./dev test full"
	say "lab: left out: other CPUs than AMD"
}

# lab_tree - makes the lab's tree if it is missing; prints the reason if that cannot be done
lab_tree() {
	if ! sh lab/tree.sh --path >/dev/null 2>&1 && [ "$(id -u)" != 0 ]; then
		echo "the emulated host is not there yet and making it needs root; run: sudo lab/tree.sh"
		return 1
	fi
	sh lab/tree.sh >/dev/null
}

# need_lab TIER - false if the emulated host cannot be had, and says what is left out
need_lab() {
	if reason=$(lab_tree); then
		return 0
	fi
	say "$1: left out: everything; $reason"
	skipped=$((skipped + 1))
	return 1
}

# run_tier NAME - one tier with a line of its own; its counts are added to the total
run_tier() {
	passed=0 failed=0 skipped=0
	started=$(date +%s)
	"tier_$1"
	printf '%s: %s (%d s)\n' "$1" "$(print_counts $passed $failed $skipped)" \
		$(($(date +%s) - started))
	total_passed=$((total_passed + passed))
	total_failed=$((total_failed + failed))
	total_skipped=$((total_skipped + skipped))
}

test_tiers() {
	setup $PACKAGES_BUILD $PACKAGES_TEST
	total_passed=0 total_failed=0 total_skipped=0
	for tier in "$@"; do
		run_tier "$tier"
	done
	[ $((total_passed + total_failed)) != 0 ] || say "nothing was tested"
	print_counts $total_passed $total_failed $total_skipped
	[ $total_failed = 0 ] && [ $total_passed != 0 ]
}
