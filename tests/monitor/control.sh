#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The control socket of a machine that runs, and its clients, polite and not.
set -eu
. tests/tap.sh
. tests/lib/monitor.sh
F=$WORK/files
S=$WORK/socket

# Standard error is a pipe that nobody reads: the guest goes on, and events are kept elsewhere.
nobody_reads_events() {
	rm -f "$WORK/messages"
	mkfifo "$WORK/messages"
	exec 8<>"$WORK/messages"
	# full but for less than a line
	python3 -c 'import os
os.set_blocking(8, False)
try:
	while True:
		os.write(8, b"x" * 4096)
except BlockingIOError:
	pass
os.set_blocking(8, True)'
	rc=0
	timeout 60 "$CXLVM" run --kernel "$F/guest" --memory 128M --append test=storm-system --cpus 3 \
		--time-limit 50 --events "$F/unread" --device sim,size=256M >"$WORK/unread" 2>"$WORK/messages" \
		</dev/null 8<&- || rc=$?
	exec 8<&-
	want_equal "exit status" 0 $rc
	want_text "the guest" '^guest: passed' "$WORK/unread"
	want_text "the events file" 'system-reset' "$F/unread"
	rm "$F/unread"
}

# start - a machine whose guest waits for ever
# shellcheck disable=SC2086 # devices is a list
start() {
	rm -f "$F/status" "$WORK/out"
	{
		"$CXLVM" run --kernel "$F/guest" --memory 128M --cpus 2 --append test=forever \
			--device sim,size=256M --device sim,size=512M ${devices:-} --control "$S" \
			--events "$F/events" --time-limit 100 >"$WORK/out" 2>"$WORK/err" </dev/null &
		echo $! >"$F/pid"
		status=0
		wait $! || status=$?
		echo $status >"$F/status"
	} &
	for _ in $(seq 100); do
		! grep -qs '^guest: waiting' "$WORK/out" || return 0
		sleep 0.1
	done
	cat "$WORK/err"
	fail "the guest did not start"
}

# ended - its exit status
ended() {
	for _ in $(seq 100); do
		[ ! -s "$F/status" ] || break
		sleep 0.1
	done
	cat "$F/status"
}

# ask COMMAND... - its JSON
ask() {
	"$CXLVM" ctl --json "$S" "$@"
}

status_says_mapped() {
	ask status >"$F/json"
	jq -e '.ok and (.result | .cpus == 2 and .memory_size == 134217728 and .resets == 0)' "$F/json"
	jq -e '[.result.devices[] | .memory_mapped and .committed] == [true, true]' "$F/json"
	jq -e '[.result.devices[].memory_size] == [268435456, 536870912]' "$F/json"
	"$CXLVM" ctl "$S" status | grep -q '^sim1 .* 512 MiB .* committed, mapped$'
}

map_is_the_plans() {
	"$CXLVM" plan --json --memory 128M --cpus 2 --device sim,size=256M --device sim,size=512M |
		jq .map >"$F/planned"
	ask map | jq .result >"$F/mapped"
	cmp "$F/planned" "$F/mapped"
}

devices_show_the_decoders() {
	base=$(jq '.[] | select(.type == "cxl-window" and .device == "sim1").resource' "$F/mapped")
	ask devices >"$F/json"
	jq -e ".result[1].decoder | .resource == $base and .size == 536870912 and .committed and .locked" \
		"$F/json"
	jq -e ".result[1].host_bridge_decoder | .resource == $base and .committed and .locked" "$F/json"
	jq -e '.result[1].counters.programmed >= 1' "$F/json"
}

# the machine answers, and its devices are programmed once more
machine_reset() {
	before=$(ask devices | jq '.result[0].counters.programmed')
	ask reset | jq -e .ok
	ask status | jq -e '.result.resets == 1'
	ask devices | jq -e ".result[0].counters.programmed == $before + 1"
}

device_resets() {
	for kind in flr cxl bus; do
		before=$(ask devices | jq '.result[1].counters.programmed')
		ask reset sim1 $kind | jq -e .ok
		ask devices | jq -e ".result[1].counters.programmed == $before + 1"
		ask devices | jq -e '.result[1].memory_mapped'
	done
	refused 1 "no device 'sim9'" -- "$CXLVM" ctl "$S" reset sim9 flr
	refused 1 "no kind of reset" 'flr, cxl and bus' -- "$CXLVM" ctl "$S" reset sim1 hot
}

events_are_heard() {
	timeout 30 "$CXLVM" ctl "$S" events >"$F/heard" 2>&1 &
	listener=$!
	sleep 0.5
	ask reset sim0 flr
	for _ in $(seq 50); do
		! grep -q '"event":"memory-available"' "$F/heard" || break
		sleep 0.1
	done
	kill $listener
	jq -es 'map(select(.event == "content-lost" and .device == "sim0")) | length == 1' "$F/heard"
	jq -es 'map(select(.event == "system-reset")) | length >= 1' "$F/events"
	want_equal "mode of the events file" 600 "$(stat -c %a "$F/events")"
}

# each line has its answer: 6 wrong ones, then a right one with its id
wrong_lines() {
	{
		echo 'nonsense'
		echo '{"command":"fly"}'
		echo '{"command":"status","colour":"blue"}'
		echo '["status"]'
		echo '{"command":7}'
		echo '[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]'
		echo '{"command":"status","id":"last"}'
	} | timeout 20 "$F/client" "$S" >"$F/answers"
	jq -es 'length == 7 and ([.[:6][] | .ok] | any | not) and (.[6] | .ok and .id == "last")' \
		"$F/answers"
	want_text "the first" 'no JSON' "$F/answers"
	want_text "the second" "unknown command 'fly'.*status, map" "$F/answers"
	want_text "the third" "no member 'colour'" "$F/answers"
}

half_a_reset() {
	printf '%s\n' '{"command":"reset","kind":"flr"}' '{"command":"reset","device":"sim0"}' |
		timeout 20 "$F/client" "$S" >"$F/answers"
	want_text "the first" 'has a kind and no device".*flr, cxl and bus' "$F/answers"
	want_text "the second" 'has a device and no kind"' "$F/answers"
}

# nothing is taken for something else: character 0, bytes that are no UTF-8, and what is cut
hostile_lines() {
	{
		printf '{"command":"status"}\000{"command":"stop"}\n'
		printf '{"command":"status\\u0000x"}\n'
		printf '{"command":"status","colour\\u0000":"x"}\n'
		printf '{"command":"\377\376"}\n'
		# 63 letters, then one of two bytes
		printf '{"command":"%s\303\244bc"}\n' "$(printf 'a%.0s' $(seq 63))"
		printf '{"command":"reset","device":"%s\303\244bc","kind":"flr"}\n' \
			"$(printf 'a%.0s' $(seq 63))"
		printf '{"command":"status","a\\\\u0000":"x"}\n'
	} | timeout 20 "$F/client" "$S" >"$F/answers"
	iconv -f UTF-8 -t UTF-8 "$F/answers" >/dev/null || fail "the answers are no UTF-8"
	jq -es 'length == 7 and ([.[].ok] | any | not)' "$F/answers"
	want_equal "lines with a character 0" 3 "$(grep -c 'character 0' "$F/answers")"
	want_equal "the fourth" 'the line is no JSON: invalid utf-8 string' \
		"$(jq -rs '.[3].error' "$F/answers")"
	want_equal "the fifth" "unknown command '$(printf 'a%.0s' $(seq 63))'" \
		"$(jq -rs '.[4].error' "$F/answers")"
	want_equal "the sixth" "there is no device '$(printf 'a%.0s' $(seq 63))'" \
		"$(jq -rs '.[5].error' "$F/answers")"
	want_text "the seventh" 'no member' "$F/answers"
	ask status | jq -e .ok
}

# an id comes back as it was, or is refused
ids_come_back() {
	for id in null true 0 -1 9223372036854775807 18446744073709551614 1.50 '"\u00e4"' '""'; do
		echo "{\"command\":\"stop\",\"x\":\"\",\"id\":$id}" | timeout 20 "$F/client" "$S" >"$F/answers"
		want_text "the answer to id $id" "\"id\":$(printf %s "$id" | sed 's/"\\u00e4"/"ä"/')," "$F/answers"
	done
	for id in 12345678901234567890123 -12345678901234567890123 18446744073709551615 '[1]' '{"a":1}'; do
		echo "{\"command\":\"status\",\"id\":$id}" | timeout 20 "$F/client" "$S" >"$F/answers"
		want_text "the answer to id $id" '"ok":false,"error":"the id is .*at most 64 bits' "$F/answers"
	done
}

too_long_a_line() {
	head -c 100000 /dev/zero | tr '\0' x | timeout 20 "$F/client" "$S" >"$F/answers"
	want_text "the answer" 'longer than 4095 bytes' "$F/answers"
	want_equal "lines" 1 "$(wc -l <"$F/answers")"
}

rubbish() {
	head -c 200000 /dev/urandom | timeout 20 "$F/client" "$S" >"$F/answers" || :
	: | timeout 20 "$F/client" "$S" >"$F/answers"
	printf '{"command":"status"}' | timeout 20 "$F/client" "$S" >"$F/answers"
	want_equal "answers to half a line" 0 "$(wc -l <"$F/answers")"
	ask status | jq -e .ok
}

deaf_client() {
	timeout 30 "$F/client" "$S" --deaf 100000 >"$F/answers"
	want_text "how it ended" 'not read|put out' "$F/answers"
	ask status | jq -e .ok
}

# a client that reads gets all answers, however many it asks for at once
many_at_once() {
	for _ in $(seq 190); do
		echo '{"command":"devices"}'
	done >"$F/lines"
	timeout 60 "$F/client" "$S" <"$F/lines" >"$F/answers"
	want_equal "answers" 190 "$(jq -c .ok "$F/answers" | grep -c true)"
	# the last line has no less of them than the first
	want_equal "different answers" 1 "$(jq -c '[.result[].device]' "$F/answers" | sort -u | wc -l)"
}

large_machine() {
	devices=
	for _ in $(seq 12); do
		devices="$devices --device sim,size=256M"
	done
	start
	many_at_once
	ask stop
	want_equal "exit status" 0 "$(ended)"
}

# more clients than there is room for
crowd() {
	pids=
	for _ in $(seq 12); do
		(sleep 3 | timeout 20 "$F/client" "$S" >>"$F/crowd") &
		pids="$pids $!"
	done
	# shellcheck disable=SC2086 # a list
	wait $pids || :
	want_text "those that are too many" 'too many clients' "$F/crowd"
	ask status | jq -e .ok
}

only_this_user() {
	want_equal "mode of the socket" 600 "$(stat -c %a "$S")"
}

second_machine() {
	refused 1 "control socket: a server is listening on socket $S" 'name another socket' -- "$CXLVM" run --kernel "$F/guest" \
		--device sim,size=256M,memory-file=here --control "$S"
	ask status | jq -e .ok
}

# A monitor that does not answer: said after a second, and the answer still counts.
stopped_for_a_while() {
	kill -STOP "$(cat "$F/pid")"
	{
		sleep 2
		kill -CONT "$(cat "$F/pid")"
	} &
	timeout 30 "$CXLVM" ctl "$S" status >"$F/late" 2>"$F/said"
	want_text "meanwhile" 'waiting for the answer, for at most 60 s' "$F/said"
	want_text "the answer" '^sim0 ' "$F/late"
}

# A signal at any time of the start leaves no socket.
signal_while_it_starts() {
	for ms in $(seq -w 0 2 60); do
		"$CXLVM" run --kernel "$F/guest" --memory 1G --cpus 4 --append test=forever --device sim,size=1G \
			--control "$S.early" --time-limit 50 >"$WORK/out" 2>"$WORK/err" </dev/null &
		sleep "0.0$ms"
		kill -TERM $!
		rc=0
		wait $! || rc=$?
		want_equal "exit status after $ms ms" 143 "$rc"
		[ ! -e "$S.early" ] || fail "after $ms ms the socket is left"
	done
}

answer_is_lost() {
	for words in "$S status" "$S map" "--json $S devices" --help; do
		rc=0
		# shellcheck disable=SC2086 # words
		"$CXLVM" ctl $words >/dev/full 2>"$F/said" || rc=$?
		want_equal "status of ctl $words" 1 "$rc"
		want_text "ctl $words" 'cxlvm ctl: cannot write to standard output: No space' "$F/said"
	done
	# of events, at the first one
	timeout 30 "$CXLVM" ctl "$S" events >/dev/full 2>"$F/said" &
	listener=$!
	for _ in $(seq 60); do
		ask reset sim0 flr | jq -e .ok
		sleep 0.3
		kill -0 $listener 2>/dev/null || break
	done
	rc=0
	wait $listener || rc=$?
	want_equal "status of ctl events" 1 "$rc"
	want_text "ctl events" 'cannot write' "$F/said"
}

stop_ends_it() {
	ask stop | jq -e .ok
	want_equal "exit status" 0 "$(ended)"
	want_text "the message" 'stopped by the control socket' "$WORK/err"
	[ ! -e "$S" ] || fail "the socket is still there"
	refused 1 'cannot reach a machine or device' 'cxlvm run --control' -- "$CXLVM" ctl "$S" status
}

# a monitor that was killed leaves its socket: the next one takes the place
abandoned_socket() {
	start
	kill -KILL "$(cat "$F/pid")"
	want_equal "exit status" 137 "$(ended)"
	[ -e "$S" ] || fail "there is no socket left"
	start
	stop_ends_it
}

# what somebody has put in the socket's place is not removed with it
place_taken() {
	start
	mv "$S" "$S.moved"
	echo text >"$S"
	"$CXLVM" ctl "$S.moved" stop
	want_equal "exit status" 0 "$(ended)"
	want_equal "the file in its place" text "$(cat "$S")"
	rm "$S" "$S.moved"
}

# listens SOCKET - wait until it is there
listens() {
	for _ in $(seq 300); do
		[ ! -S "$1" ] || return 0
		sleep 0.1
	done
	fail "nobody listens"
}

# What is at the socket may be anything.
answers_of_others() {
	cat >"$F/other" <<-'END'
		import os, socket, sys
		listener = socket.socket(socket.AF_UNIX)
		listener.bind(sys.argv[1] + ".new")
		listener.listen(1)
		os.rename(sys.argv[1] + ".new", sys.argv[1])
		peer = listener.accept()[0]
		peer.settimeout(10)
		peer.makefile().readline()
		peer.sendall(sys.argv[2].encode() + b"\n")
	END
	for answer in '{"ok":true}' '{"ok":true,"result":5}' '{"ok":true,"result":null}' '[]' null \
		'{"ok":true,"result":"x"}' '{"ok":null,"error":null,"hint":"h"}'; do
		for words in status map devices stats; do
			rm -f "$S.other"
			timeout 20 python3 "$F/other" "$S.other" "$answer" &
			listens "$S.other"
			refused 1 'cxlvm ctl: ' -- "$CXLVM" ctl "$S.other" $words
			wait $! || :
		done
	done
	rm -f "$S.other"
	# members that are null, or not there
	python3 "$F/other" "$S.other" '{"ok":true,"result":{"devices":[{"device":null,"unusable_reason":null},7]}}' &
	listens "$S.other"
	"$CXLVM" ctl "$S.other" status >"$F/said"
	wait $!
	rm "$S.other"
	want_equal "lines" 3 "$(wc -l <"$F/said")"
}

bad_paths() {
	echo text >"$F/text"
	refused 1 'control socket: .*/text exists and is not a socket' -- "$CXLVM" run --kernel "$F/guest" --control "$F/text"
	want_equal "the file in the way" text "$(cat "$F/text")"
	refused 1 'nowhere/socket.*no such file' -- "$CXLVM" run --kernel "$F/guest" \
		--control /nowhere/socket
	refused 1 'control socket: socket path of 200 bytes.*107' -- "$CXLVM" run --kernel "$F/guest" \
		--control "$(printf '%0200d' 0)"
	refused 1 'events file.*/nowhere/file' -- "$CXLVM" run --kernel "$F/guest" \
		--events /nowhere/file
	refused 2 'SOCKET' -- "$CXLVM" ctl
	refused 2 'unknown command fly' -- "$CXLVM" ctl "$S" fly
	refused 2 'wrong number' -- "$CXLVM" ctl "$S" reset sim0
}

sh "$PAYLOAD_TOOL" tests "$F/guest"
gcc -std=c11 -O2 -Wall -o "$F/client" tests/monitor/client.c
check "bad paths and words" bad_paths
check "answers that make no sense" answers_of_others
if reason=$(have_kvm); then
	tap_cleanup='[ -s "$F/status" ] || kill "$(cat "$F/pid")" || :; rm -rf "$WORK"'
	start
	check "events_that_nobody_reads_do_not_hold_the_machine" nobody_reads_events
	check "only this user may connect" only_this_user
	check "status: memory is mapped" status_says_mapped
	check "map: what the plan says" map_is_the_plans
	check "devices: decoders and counters" devices_show_the_decoders
	check "wrong lines are answered, the connection goes on" wrong_lines
	check "a reset of a device needs both words" half_a_reset
	check "characters 0, no UTF-8, characters that are cut" hostile_lines
	check "an id comes back as it was, or is refused" ids_come_back
	check "a line that is too long ends the connection" too_long_a_line
	check "rubbish, nothing, half a line" rubbish
	check "p8_a_client_that_does_not_read_holds_nobody" deaf_client
	check "more clients than there is room for" crowd
	check "a second machine at the same socket is refused" second_machine
	check "reset of the machine" machine_reset
	check "reset of one device, each kind" device_resets
	check "events are heard, and in the file" events_are_heard
	check "a signal while it starts" signal_while_it_starts
	check "a machine that answers late" stopped_for_a_while
	check "answers that cannot be printed" answer_is_lost
	check "stop" stop_ends_it
	check "the socket of a machine that was killed is taken over" abandoned_socket
	check "a file in the socket's place stays" place_taken
	check "more asked for at once than is kept for a client" large_machine
else
	skip "a machine that runs" "$reason"
fi
tap_end
