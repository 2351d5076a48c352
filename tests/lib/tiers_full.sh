# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# What ./dev test full has beyond ./dev test: groups of tests as in tiers.sh.

tier_lint() {
	setup $PACKAGES_LINT
	run_tap lint 300 sh tests/lib/lint.sh
}

# clang, and the libraries of its sanitizers, whose package has its version in the name
setup_clang() {
	setup clang
	setup "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev"
}

tier_compilers() {
	setup_clang
	say "compilers: gcc and clang at each level of optimization"
	run_tap compilers 1200 sh tests/lib/compilers.sh "$BUILD/compilers"
	say "compilers: the unit tests built by clang"
	build_tests_in clang --native-file tests/lib/clang.ini
	run_unit_in "$BUILD/clang" "clang/" "$UNIT_PROGRAMS"
}

tier_analyze() {
	setup_clang
	# shellcheck disable=SC2086 # a list of packages
	setup $PACKAGES_ANALYZE
	build_default
	say "analyze: gcc -fanalyzer, clang-tidy, cppcheck"
	configure_in analyzer -Dc_args='-fanalyzer -DCXLVM_ANALYZE'
	# always anew: what is up to date says nothing
	ninja -C "$BUILD/analyzer" clean >/dev/null
	CCACHE_DISABLE=1 ninja -C "$BUILD/analyzer" >"$BUILD/analyzer.log" 2>&1 || :
	run_tap analyze 1200 sh tests/lib/analyze.sh "$BUILD/default" "$BUILD/analyzer"
}

# Reads beside resets, with the thread sanitizer (clang's: gcc's does not know all atomics).
tier_tsan() {
	setup_clang
	say "tsan: reads and getters on other threads during resets"
	build_tests_in tsan --native-file tests/lib/clang.ini -Db_sanitize=thread -Db_lundef=false
	export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
	run_unit_in "$BUILD/tsan" "tsan/" '.name | test("threads|bar_map|device$|vfio_kernel|vfio_user_dma|vfio_user_loss|vfio_user_pair|vfio_user_watch")'
	unset TSAN_OPTIONS
}

tier_s390x() {
	# shellcheck disable=SC2086 # a list of packages
	setup $PACKAGES_S390X
	say "s390x: the unit tests on a big-endian machine"
	run_tap s390x 3600 sh tests/lib/s390x.sh "$BUILD/s390x" \
		"${CXLVM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/cxlvm}/s390x"
}

tier_mutants() {
	say "mutants: seeded breakages, each has to be noticed by a unit test"
	run_tap mutants 7200 sh tests/mutants/run.sh "$BUILD/mutants"
}

FUZZ_TARGETS='decode device guest machine options vfio_user window'

# build_fuzz - the targets and what they need
build_fuzz() {
	setup_clang
	configure_in fuzz --native-file tests/lib/clang.ini -Dfuzz=true -Doptimization=1 \
		-Db_sanitize=address,undefined -Db_lundef=false
	# shellcheck disable=SC2046 # a list of targets
	logged compile-fuzz "building $BUILD/fuzz" ninja -C "$BUILD/fuzz" fuzz/registers.dict \
		tests/unit/images $(printf 'fuzz/fuzz_%s ' $FUZZ_TARGETS)
}

# fuzz SECONDS TARGET...
fuzz() {
	build_fuzz
	seconds=$1
	shift
	run_tap fuzz $((($# + 1) * (seconds + 60))) \
		sh fuzz/run.sh "$BUILD/fuzz" "$BUILD/fuzz-work" "$seconds" "$@"
	sed -n 's/^# \(.* edges\)$/  fuzz: \1/p' "$(log_of fuzz)"
}

# fuzz_target and fuzz_seconds: from the command line of ./dev fuzz
tier_fuzz() {
	say "fuzz: ${fuzz_seconds:=30} s each: ${fuzz_target:=$FUZZ_TARGETS}"
	# shellcheck disable=SC2086 # a list of targets
	fuzz "$fuzz_seconds" $fuzz_target
}

tier_soak() {
	build_default
	say "soak: lives of machines in no order, for 5 minutes"
	run_tap soak 600 env CMOCKA_MESSAGE_OUTPUT=TAP "$BUILD/default/tests/soak" 300
}

tier_docs() {
	# shellcheck disable=SC2086 # a list of packages
	setup $PACKAGES_DOCS
	build_default
	run_tap docs 60 sh tests/lib/docs.sh "$BUILD/default/cli/cxlvm"
}

tier_vfio() {
	build_default
	build_static
	need_lab vfio || return 0
	say "vfio: hostile answers of a real kernel to a program that is built with ASan and UBSan"
	configure_in asan -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1
	logged compile-asan "building $BUILD/asan" ninja -C "$BUILD/asan" cli/cxlvm
	run_tap lab/vfio-hostile 1300 env CXLVM_BUILD="$BUILD" sh tests/lab/vfio-hostile.sh \
		"$BUILD/lab-vfio-hostile"
	say "vfio: devices of a real kernel that misbehave under a guest"
	run_tap lab/vfio-trials 1900 env CXLVM_BUILD="$BUILD" sh tests/lab/vfio-trials.sh \
		"$BUILD/lab-vfio-trials"
	say "vfio: guests with a region in the generations that the lab tier leaves out"
	run_tap lab/vfio-generations 2450 env CXLVM_BUILD="$BUILD" sh tests/lab/vfio-generations.sh \
		"$BUILD/lab-vfio-generations"
	for generation in 6 4 3 2n; do
		run_tap "lab/vfio-$generation" 120 env CXLVM_BUILD="$BUILD" sh tests/lab/check-region.sh \
			"$BUILD/lab-vfio-generations" "vfio-$generation"
	done
	say "vfio: guests on the decoder and memory of the emulator's CXL memory device"
	run_tap lab/type3 4050 env CXLVM_BUILD="$BUILD" sh tests/lab/type3.sh "$BUILD/lab-type3"
}

# What needs a kernel that no distribution packages.
tier_iommufd() {
	build_default
	build_static
	need_lab iommufd || return 0
	say "iommufd: devices of a kernel with iommufd; the first time it is built, for 10 minutes"
	run_tap lab/iommufd 6000 env CXLVM_BUILD="$BUILD" sh tests/lab/iommufd.sh "$BUILD/lab-iommufd"
	say "iommufd: left out: hardware; type1 is covered by the lab tier"
}
