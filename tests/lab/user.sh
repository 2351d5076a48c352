#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A Linux guest uses the CXL memory of a server (cxlvm device) in two boots; between them the server
# is killed and started anew on the same memory. In an emulated host of its own.
#
#   user.sh SHARE-FOLDER        with CXLVM_BUILD set to the folder of builds
#
# SHARE-FOLDER is made anew. Speaks TAP.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lab/options.sh
. tests/lab/share.sh
share=$1
build=${CXLVM_BUILD:-build}
DIR=$share/out/region-user
HOST_LIMIT=900

prepare() {
	share_make "$share" "$build"
	cp tests/lab/user-inside.sh tests/lab/user-serve.sh "$share/"
	share_talk_region "$share" region-user
	sed -i 's/^send reboot$/run sh user-serve.sh\n&/' "$share/talk/region-user.talk"
	want_equal "servers anew" 1 "$(grep -c user-serve "$share/talk/region-user.talk")"
}

tell() {
	while read -r word text; do
		progress "lab: $word $text"
	done
}

run_host() {
	share_run_host "$share" $HOST_LIMIT tell user-inside.sh >&4 || {
		cat "$share/run.error"
		fail "the emulated host failed"
	}
}

powered_off() {
	want_equal "exit status" 0 "$(cat "$DIR/status")"
	want_equal "boots" 2 "$(tr -d '\r' <"$DIR/console" | grep -c '^GUEST region$')"
}

good="pages $REGION_PAGES bad 0 first_bad none"

files_have_what_the_guest_wrote() {
	for boot in 1 2; do
		want_equal "the server's file after boot $boot" "$good" "$(cat "$DIR/filled$boot")"
	done
}

guest_has_what_the_files_had() {
	want_equal "good checks" 2 "$(tr -d '\r' <"$DIR/console" | grep -c "^CHECK $good\$")"
}

loss_and_return() {
	want_text "the loss" '^event: memory-unavailable device=user0.*closed the connection' \
		"$DIR/monitor"
	want_text "the return" '^event: memory-available device=user0' "$DIR/monitor"
	want_equal "times programmed" 2 "$(grep -c cxl_locked_hdm "$DIR/monitor")"
	want_equal "clients" 2 "$(grep -c 'client came' "$DIR/server")"
}

check "guest, programs and seeds are ready" prepare
exec 4>&1
check "the emulated host ran the guest" run_host
check "vu_two_boots_of_a_linux_guest_on_a_server_and_power_off" powered_off
check "vu4_all_pages_of_the_servers_file_are_what_the_guest_wrote" files_have_what_the_guest_wrote
check "vu4_the_guest_reads_what_was_written_to_the_servers_file" guest_has_what_the_files_had
check "vu6_the_killed_server_is_an_event_and_the_reset_brings_the_memory_back" loss_and_return
tap_end
