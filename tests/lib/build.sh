# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh
# Build folders below BUILD, made and brought up to date. Read by ./dev, whose logged, say and die it
# uses.

# configure_in NAME [MESON-OPTION...] - a build folder below BUILD, made if needed; sets dir
configure_in() {
	dir=$BUILD/$1
	name=$1
	shift
	[ -z "${CI:-}" ] || set -- "$@" -Dwarnings_are_errors=true
	if [ -f "$dir/build.ninja" ] && [ "$(cat "$dir/.options" 2>/dev/null || echo "$*")" != "$*" ]; then
		rm -rf "$dir"
	fi
	if [ ! -f "$dir/build.ninja" ]; then
		rm -rf "$dir"
		logged "meson-$name" "meson setup $dir" meson setup "$dir" "$@"
	fi
	printf '%s\n' "$*" >"$dir/.options"
}

# build_in NAME [MESON-OPTION...] - the same, brought up to date
build_in() {
	configure_in "$@"
	logged "compile-$name" "building $dir" ninja -C "$dir"
}

# those of meson's tests that are compiled programs speaking TAP
UNIT_PROGRAMS='.protocol == "tap" and (.cmd[0] | test("/tests/unit/test_[^/.]*$"))'

# build_tests_in NAME [MESON-OPTION...] - only these programs
build_tests_in() {
	configure_in "$@"
	# programs that were added since are in the list, too
	logged "meson-$name" "meson setup $dir" ninja -C "$dir" build.ninja
	# shellcheck disable=SC2046 # a list of targets
	logged "compile-$name" "building $dir" ninja -C "$dir" $(meson introspect --tests "$dir" |
		jq -r ".[] | select($UNIT_PROGRAMS) | .cmd[0]" | sed "s|^$(realpath "$dir")/||")
}

build_default() {
	say "build: $BUILD/default"
	build_in default
}

# only the program
build_server_asan() {
	configure_in asan -Db_sanitize=address,undefined -Db_lundef=false -Doptimization=1
	logged compile-asan "building $BUILD/asan" ninja -C "$BUILD/asan" cli/cxlvm
}

build_static() {
	say "build: $BUILD/lab (static, for the emulated host)"
	build_in lab --buildtype=release -Dstatic=true -Dprefer_static=true -Dtests=false
	build_in lab-switches --buildtype=release -Dstatic=true -Dprefer_static=true -Dtests=false \
		-Dtest_switches=true
}

build_module() {
	if ! reason=$(lab_tree); then
		say "build: left out: the kernel module of the lab's device; $reason"
		return 0
	fi
	logged module "building the kernel module of the lab's device" sh lab/module.sh
	say "build: $(tail -n 1 "$BUILD/log/module.log") (kernel module of the lab's device)"
}
