#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Guests use the CXL memory of servers (cxlvm device), in an emulated host of its own: a Linux guest in two
# boots, whose server is killed and started anew while it fills the memory; clients that are killed in
# each phase of their life; two servers with a Linux guest each at the same time.
#
#   user.sh SHARE-FOLDER        with CXLVM_BUILD set to the folder of builds; CXLVM_SERVER: another
#                               build of the server, not a static one
#
# SHARE-FOLDER is made anew. Speaks TAP.
set -eu
cd "$(dirname "$0")/../.."
. tests/tap.sh
. tests/lib/plan.sh
. tests/lab/options.sh
. tests/lab/share.sh
share=$1
build=${CXLVM_BUILD:-build}
DIR=$share/out/region-user
HOST_LIMIT=1500
ONES='ffffffffffffffff ffffffffffffffff ffffffffffffffff'
SHARE_HOST_OPTIONS='--memory 3072'

# the server and the libraries that the loader finds for it here
take_server() {
	if [ -z "${CXLVM_SERVER:-}" ]; then
		cp "$share/bin/cxlvm" "$share/bin/server"
		return
	fi
	cp "$CXLVM_SERVER" "$share/bin/server"
	mkdir "$share/lib"
	ldd "$CXLVM_SERVER" | grep -o '/[^ ]*' | while read -r library; do
		cp -L "$library" "$share/lib/"
	done
}

# lose_the_server - in the conversation with the guest "user", before it is rebooted: it fills over
# and over in the background, in the middle of which the server is killed. Another one comes, and
# changes nothing before the reboot. The guest goes on storing until then.
lose_the_server() {
	window=$("$build/default/cli/cxlvm" plan --json --device "sim,size=$REGION_SIZE" --memory 512M |
		plan_window 0 base)
	first=$(printf '%x' "$window")
	last=$(printf '%x' $((window + REGION_PAGES * 4096 - 8)))
	ones="expect WAIT next
send access R8 $first R8 $last W8 $last 5555 R8 $last
expect DONE  $ONES"
	lost=$("$share/bin/pattern" seed)
	kept=$("$share/bin/pattern" seed)
	cat <<END
run sh user-serve.sh mark user
send refill $lost
expect FILLING
run sh user-serve.sh kill user
expect WAIT next
run for i in \$(seq 100); do ! grep -q memory-unavailable /tmp/guest-user/monitor || break; sleep 0.1; done
run bin/pattern fill /tmp/user.memory $kept
send access R8 $first R8 $last W8 $last 5555 R8 $last
expect DONE  $ONES
run bin/pattern check /tmp/user.memory $kept >/tmp/guest-user/kept || :
run sh user-serve.sh start user
$ones
expect WAIT next
END
}

# talk NAME - the memory's backing, and the folder of the guest
talk() {
	share_talk_region "$share" "region-$1"
	sed -i -e "s,/tmp/device-memory,/tmp/$1.memory," -e "s,/tmp/guest/,/tmp/guest-$1/," \
		"$share/talk/region-$1.talk"
}

# talk_pair NAME OTHER - one boot, which fills when the other one does
talk_pair() {
	talk "$1"
	sed -i -e '/^send reboot/,$d' \
		-e "s/^expect WAIT seed1/&\nrun sh user-serve.sh meet $1 $2\nrun cat \/proc\/uptime >\/tmp\/guest-$1\/began/" \
		-e "s/^expect FILLED.*/&\nrun cat \/proc\/uptime >\/tmp\/guest-$1\/ended/" \
		"$share/talk/region-$1.talk"
	echo 'send poweroff' >>"$share/talk/region-$1.talk"
}

prepare() {
	share_make "$share" "$build"
	take_server
	cp tests/tap.sh tests/lab/user-inside.sh tests/lab/user-serve.sh tests/lab/user-clients.sh "$share/"
	sh tests/guest/payload.sh tests "$share/guest"
	talk user
	lose_the_server >"$share/lost"
	sed -i -e "/^send reboot/{
		r $share/lost
		N
	}" "$share/talk/region-user.talk"
	talk_pair one two
	talk_pair two one
}

tell() {
	while read -r word text; do
		progress "lab: $word $text"
	done
}

run_host() {
	share_run_host "$share" $HOST_LIMIT tell user-inside.sh "${LAB_FULL:-}" >&4 || {
		cat "$share/run.error"
		fail "the emulated host failed"
	}
}

# powered_off FOLDER BOOTS
powered_off() {
	want_equal "exit status" 0 "$(cat "$1/status")"
	want_equal "boots" "$2" "$(tr -d '\r' <"$1/console" | grep -c '^GUEST region$')"
}

good="pages $REGION_PAGES bad 0 first_bad none"

files_have_what_the_guest_wrote() {
	for boot in 1 2; do
		want_equal "the server's file after boot $boot" "$good" "$(cat "$DIR/filled$boot")"
	done
}

# good_checks FOLDER NUMBER
good_checks() {
	want_equal "good checks" "$2" "$(tr -d '\r' <"$1/console" | grep -c "^CHECK $good\$")"
}

# The guest had begun to fill when the server was killed, and fills over and over until its reboot:
# nothing of that is in the file from the moment that the loss is told.
under_load() {
	want_equal "the server's file" "$good" "$(cat "$DIR/kept")"
}

ones_until_the_reset() {
	tr -d '\r' <"$DIR/console" >"$share/console"
	want_equal "words of ones, without a server and with a new one" 2 \
		"$(grep -c "^DONE  $ONES\$" "$share/console")"
}

loss_and_return() {
	want_text "the loss" '^event: memory-unavailable device=user0.*closed the connection' \
		"$DIR/monitor"
	want_text "the return" '^event: memory-available device=user0' "$DIR/monitor"
	want_equal "times programmed" 2 "$(grep -c cxl_locked_hdm "$DIR/monitor")"
}

pair() {
	for name in one two; do
		powered_off "$share/out/region-$name" 1
		want_equal "file of $name" "$good" "$(cat "$share/out/region-$name/filled1")"
		good_checks "$share/out/region-$name" 1
		want_no_text "$name" '^event: memory' "$share/out/region-$name/monitor"
	done
	# both had begun before one ended
	cat "$share"/out/region-???/began | cut -d' ' -f1 | sort -n | tail -n 1 >"$share/began"
	cat "$share"/out/region-???/ended | cut -d' ' -f1 | sort -n | head -n 1 >"$share/ended"
	awk 'NR == 1 { began = $1 } END { exit !(NR == 2 && began < $1) }' "$share/began" "$share/ended" ||
		fail "not at the same time: from $(cat "$share/began") to $(cat "$share/ended")"
}

servers_ended_well() {
	for name in user one two; do
		want_no_text "server $name" 'Sanitizer|runtime error|did not end' "$share/out/$name.log"
		want_text "server $name" 'listening on' "$share/out/$name.log"
	done
}

check "guest, programs and seeds are ready" prepare
exec 4>&1
check "the emulated host ran the guests" run_host
[ ! -f "$share/out/clients" ] || tap_take "$share/out/clients"
check "clients were killed to the last" grep -q '^1\.\.' "$share/out/clients"
check "vu_two_boots_of_a_linux_guest_on_a_server_and_power_off" powered_off "$DIR" 2
check "vu4_all_pages_of_the_servers_file_are_what_the_guest_wrote" files_have_what_the_guest_wrote
check "vu4_the_guest_reads_what_was_written_to_the_servers_file" good_checks "$DIR" 2
check "vu6_a_server_killed_while_a_linux_guest_fills_its_memory" under_load
check "vu6_memory_reads_ones_until_the_reset_even_with_a_new_server" ones_until_the_reset
check "vu6_the_killed_server_is_an_event_and_the_reset_brings_the_memory_back" loss_and_return
check "vu_two_servers_and_two_linux_guests_at_the_same_time" pair
check "servers end when asked, without a complaint of a sanitizer" servers_ended_well
tap_end
