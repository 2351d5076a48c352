#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The library as a product: what is installed, which symbols it has, and that programs in C and C++
# are built with it by pkg-config alone.
#
#   library.sh BUILD-FOLDER SANITIZERS C-COMPILER|"" C++-COMPILER|""   (lists are space-separated)
set -eu
. tests/tap.sh
build=$1
sanitizers=$2
CC=$3
CXX=$4
WORK=$(mktemp -d)
tap_cleanup='rm -rf "$WORK"'
TREE=$WORK/tree
VERSION=$(sed -n "s/^ *version: '\([0-9.]*\)',/\1/p" meson.build)

# fields of the CEDT of the consumer: header 9, record header 2, CHBS 4
WANTED_OUTPUT="$VERSION 15 6"

[ "$sanitizers" = none ] && FLAGS= || FLAGS=-fsanitize=$sanitizers

declared() {
	for header in include/cxlvm/*.h; do
		# without comments and preprocessor lines, as one line
		sed -e '/^[ \t]*#/d' "$header" | tr '\n\t' '  ' | sed -e 's,/\*,\n&,g' -e 's,\*/,&\n,g' |
			grep -v '^/\*' | tr '\n' ' ' | grep -o 'CXLVM_PUBLIC[^;]*;' || :
	done | sed 's/^[^(]*[ *]\(cxlvm_[a-z0-9_]*\) *(.*/\1/' | sort
}

mapped() {
	sed -n 's/^\t\([A-Za-z0-9_]*\);$/\1/p' src/libcxlvm.map
}

# same NAME FILE NAME FILE
same() {
	diff "$2" "$4" >"$WORK/diff" && return 0
	grep '^[<>]' "$WORK/diff" | sed -e "s/^</only in $1:/" -e "s/^>/only in $3:/"
	exit 1
}

install_it() {
	meson install -C "$build" --destdir "$TREE" --no-rebuild --quiet
	find "$TREE" -type f -o -type l | sort
	[ -f "$STATIC" ] || fail "no static library"
	for header in include/cxlvm/*.h; do
		cmp "$header" "$INCLUDE/cxlvm/${header##*/}"
	done
	want_equal "number of headers" "$(ls include/cxlvm | wc -l)" "$(ls "$INCLUDE/cxlvm" | wc -l)"
}

declarations() {
	declared >"$WORK/declared"
	[ "$(wc -l <"$WORK/declared")" = "$(cat include/cxlvm/*.h | grep -v '^#' |
		grep -c '^CXLVM_PUBLIC')" ] || fail "not every declaration was understood"
	uniq -d "$WORK/declared" >"$WORK/twice"
	[ ! -s "$WORK/twice" ] || fail "declared twice: $(cat "$WORK/twice")"
}

# P7: nothing of the engine, transports apart, reaches a device but by the operations it is given;
# close is for the dma-bufs it was handed
engine_symbols() {
	find "$build/src/libcxlvm-static.a.p" -name '*.o' ! -name 'vfio_sim_*' \
		! -name 'vfio_user_*' ! -name 'vfio_kernel_*' ! -name 'vfio_map_file*' >"$WORK/engine"
	grep -q passthrough_program "$WORK/engine" || fail "where are the objects?"
	xargs nm -u <"$WORK/engine" | awk 'NF == 2 { print $2 }' | sort -u >"$WORK/undefined"
	want_text "what the engine needs" '^memcpy' "$WORK/undefined"
	calls='open|openat|p?read|p?write|ioctl|mmap|munmap|send|recv|sendmsg|recvmsg'
	want_no_text "what the engine needs" \
		"^($calls|printf|puts|fprintf|exit|_exit|abort|pthread_.*)(64)?\$" "$WORK/undefined"
}

map_equals_headers() {
	mapped >"$WORK/mapped"
	sort -c "$WORK/mapped"
	same headers "$WORK/declared" src/libcxlvm.map "$WORK/mapped"
}

shared_exports() {
	# besides them, the name of the version itself
	nm -D --defined-only "$SHARED" | awk '$2 != "A" { print $3 }' | sort >"$WORK/exported"
	sed 's/$/@@CXLVM_0.1/' "$WORK/declared" | same headers - "the shared library" "$WORK/exported"
}

static_symbols() {
	nm -g --defined-only "$STATIC" | awk 'NF == 3 { print $3 }' | sort >"$WORK/static"
	same headers "$WORK/declared" "the static library" "$WORK/static"
	want_equal "members" 1 "$(ar t "$STATIC" | wc -l)"
}

needs_only_libc() {
	objdump -p "$SHARED" | awk '$1 == "NEEDED" { print $2 }' >"$WORK/needed"
	if [ "$sanitizers" = none ]; then
		want_equal "needed libraries" libc.so.6 "$(grep -v '^ld-linux' "$WORK/needed")"
	else
		! grep -vE '^(libc|libm|libgcc_s|libasan|libubsan|ld-linux[^.]*)\.so' "$WORK/needed" ||
			fail "the libraries above are needed"
	fi
}

flags() {
	PKG_CONFIG_PATH=$LIBDIR/pkgconfig PKG_CONFIG_SYSROOT_DIR=$TREE pkg-config "$@" libcxlvm
}

pkgconfig() {
	want_equal "version" "$VERSION" "$(flags --modversion)"
	want_equal "libraries" "-lcxlvm" "$(flags --libs-only-l | tr -d ' ')"
}

# consumer shared|static COMPILER...
consumer() {
	how=$1
	shift
	program=$WORK/consumer-$how
	libs=$(flags --libs)
	if [ "$how" = static ]; then
		libs="$(flags --libs-only-L) -l:libcxlvm.a"
	fi
	# shellcheck disable=SC2046,SC2086 # lists of words
	"$@" -Wall -Wextra -Werror -pedantic $FLAGS $(flags --cflags) -o "$program" \
		tests/unit/consumer.c $libs
	want_equal "what it prints" "$WANTED_OUTPUT" "$(LD_LIBRARY_PATH=$LIBDIR "$program")"
	objdump -p "$program" >"$WORK/dynamic"
	case $how in
	static) want_no_text "the program" 'NEEDED.*libcxlvm' "$WORK/dynamic" ;;
	shared) want_text "the program" 'NEEDED.*libcxlvm.so.0' "$WORK/dynamic" ;;
	esac
}

# with the library that is not told what to hide, the names of the consumer would clash
clash() {
	# shellcheck disable=SC2086 # lists of words
	! $CC $FLAGS -Iinclude -o "$WORK/clash" tests/unit/consumer.c "$build/src/libcxlvm-static.a" \
		2>"$WORK/clash.err" || fail "the consumer's names do not clash with anything inside"
	want_text "the linker" 'multiple definition|duplicate symbol' "$WORK/clash.err"
}

prefix=$(meson introspect --buildoptions "$build" | jq -r '.[] | select(.name == "prefix") | .value')
libdir=$(meson introspect --buildoptions "$build" | jq -r '.[] | select(.name == "libdir") | .value')
LIBDIR=$TREE$prefix/$libdir
INCLUDE=$TREE$prefix/include
SHARED=$LIBDIR/libcxlvm.so
STATIC=$LIBDIR/libcxlvm.a

declarations
check "installs both libraries and all headers" install_it
check "the headers' declarations are all understood" declarations
if [ "$sanitizers" = none ]; then
	check "p7 w18 the engine reaches devices by its operations only" engine_symbols
else
	skip "p7 w18 the engine reaches devices by its operations only" \
		"sanitizers need calls of their own"
fi
check "src/libcxlvm.map lists the public functions" map_equals_headers
check "the shared library exports them, with their version, and nothing else" shared_exports
check "the static library is one object that shows nothing else" static_symbols
check "the shared library needs the C library only" needs_only_libc
check "pkg-config knows version and library" pkgconfig
# shellcheck disable=SC2086 # $CC and $CXX may have options
{
	check "a C program with the shared library" consumer shared $CC
	check "a C program with the static library" consumer static $CC
	check "a C program clashes with the library that is not installed" clash
	if [ -n "$CXX" ]; then
		check "a C++ program with the shared library" consumer shared $CXX -x c++
		check "a C++ program with the static library" consumer static $CXX -x c++
	else
		skip "C++ programs" "there is no C++ compiler"
	fi
}
tap_end
