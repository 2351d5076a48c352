#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The unit tests on a big-endian machine: built for s390x, run by qemu-user. Speaks TAP; part of
# ./dev test full. cmocka for it comes from the distribution, unpacked below CACHE.
#
#   s390x.sh BUILD-FOLDER CACHE
set -eu
. tests/tap.sh
build=$1
cache=$2
root=$cache/s390x

# Too slow under an emulated CPU; what they try in millions of calls, others try once.
TOO_SLOW='test_failnth test_host_address'
# What qemu-user does not do as Linux does. Flags in smaps and the address of a SIGBUS; what tests of
# single descriptors meet is what qemu_user.c shows, here and natively.
DIFFERENT='eventfd from F_DUPFD_CLOEXEC: byte order
eventfd from a socket: byte order
descriptors without room: nobody is told
descriptors without room: left open
io_setup: not there'
NOT_HERE='map1_w35_shared_untouched_not_dumped_not_inherited
map6_qemu16_sigbus_is_attributed_in_a_signal_handler
interrupts_arrive_where_they_are_connected
one_byte_at_a_time
descriptors_belong_to_the_last_message_begun
two_messages_with_descriptors_cut_at_any_byte
too_many_descriptors_are_closed_and_told
send_is_one_message_with_its_descriptors
client3_unexpected_descriptors_are_closed
client_each_message_of_opening_fails
client8_eventfds_go_in_runs
client8_failed_connections_are_undone'
# These make a vfio-user server, which needs io_setup.
NO_SERVER='test_vfio_user_pair test_vfio_user_server test_vfio_user_server_dma
test_vfio_user_server_hostile test_vfio_user_server_life test_vfio_user_server_peer'
NOT_HERE="$NOT_HERE
every_allocation_of_a_server_fails_in_turn
of_the_same_version
an_older_program_gets_defaults
a_newer_program_may_leave_what_is_new_alone"

# fetch_cmocka - packages of another architecture, without touching this system's lists
fetch_cmocka() {
	[ ! -f "$root/usr/include/cmocka.h" ] || return 0
	mkdir -p "$cache/apt/lists/partial" "$cache/apt/archives/partial"
	set -- -o APT::Architectures::="$(dpkg --print-architecture)" -o APT::Architectures::=s390x \
		-o Dir::State::lists="$(realpath "$cache/apt/lists")" \
		-o Dir::Cache="$(realpath "$cache/apt")"
	apt-get "$@" update
	(cd "$cache/apt" && apt-get "$@" download libcmocka-dev:s390x libcmocka0:s390x)
	for package in "$cache/apt"/libcmocka*_s390x.deb; do
		dpkg-deb -x "$package" "$root"
	done
}

build_tests() {
	[ -f "$build/build.ninja" ] ||
		PKG_CONFIG_LIBDIR=$root/usr/lib/s390x-linux-gnu/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root \
			meson setup "$build" --cross-file tests/lib/s390x.ini -Dmonitor=false
	ninja -C "$build" >"$build/log" || {
		tail -n 30 "$build/log"
		exit 1
	}
}

# programs - the names of those to run
programs() {
	for program in "$build"/tests/unit/test_*; do
		case " $TOO_SLOW $(echo $NO_SERVER) " in
		*" ${program##*/} "*) ;;
		*) [ ! -f "$program" ] || echo "${program##*/}" ;;
		esac
	done
}

# Proof that the failures that are not judged are qemu's: if it learns these, they are judged again.
qemu_is_different() {
	cc -O1 -o "$build/native" -D_GNU_SOURCE tests/lib/qemu_user.c
	s390x-linux-gnu-gcc -O1 -o "$build/foreign" -D_GNU_SOURCE tests/lib/qemu_user.c
	want_equal "what Linux does not do as Linux" "" "$("$build/native")"
	want_equal "what qemu-user does not do as Linux" "$DIFFERENT" \
		"$(qemu-s390x -L /usr/s390x-linux-gnu "$build/foreign")"
}

# Failures that are not qemu's.
passes() {
	log=$build/tap/$1
	grep -q '^1\.\.' "$log" || fail "no plan; status $(cat "$log.status")"
	want_equal "tests that ran" "$(sed -n 's/^1\.\.//p' "$log")" \
		"$(grep -cE '^(not )?ok' "$log")"
	! grep '^not ok' "$log" | grep -vF "$NOT_HERE" || {
		grep -A4 '^not ok' "$log"
		exit 1
	}
}

mkdir -p "$cache"
if ! fetch_cmocka >"$cache/fetch.log" 2>&1; then
	skip "unit tests on s390x" "cmocka for it cannot be had: $(tail -n 1 "$cache/fetch.log")"
	tap_end
	exit
fi
check "the unit tests are built for s390x" build_tests
if [ "$tap_failed" = 0 ]; then
	check "qemu-user does not pass descriptors on as Linux does" qemu_is_different
	mkdir -p "$build/tap"
	programs | xargs -P "$(nproc)" -I NAME sh tests/lib/one.sh "$build/tap/NAME" 600 \
		env CMOCKA_MESSAGE_OUTPUT=TAP CXLVM_SOURCE=. qemu-s390x -L /usr/s390x-linux-gnu \
		-E LD_LIBRARY_PATH="$(realpath "$root")/usr/lib/s390x-linux-gnu" \
		"$build/tests/unit/NAME"
	for program in $(programs); do
		check "big-endian: $program" passes "$program"
	done
	for program in $TOO_SLOW; do
		skip "big-endian: $program" "too slow under an emulated CPU"
	done
	for program in $NO_SERVER; do
		skip "big-endian: $program" "qemu-user has no io_setup, which a server needs"
	done
	note "not judged, qemu-user is no Linux there: $(echo $NOT_HERE)"
fi
tap_end
