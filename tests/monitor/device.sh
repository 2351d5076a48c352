#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# cxlvm device as a program: what cannot be done is refused before anything is made, the control
# socket, and its end.
set -eu
. tests/tap.sh
. tests/lib/monitor.sh
SIZE='--size 256M'

# server_start [OPTION...] - one in $WORK, ready; sets pid
server_start() {
	# not taken for what the next one says, which empties it only when it starts
	rm -f "$WORK/server.log"
	"$CXLVM" device --socket "$WORK/socket" $SIZE "$@" >"$WORK/server.log" 2>&1 &
	pid=$!
	tries=0
	until grep -qs "listening on $WORK/socket" "$WORK/server.log"; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] || fail "it does not listen: $(cat "$WORK/server.log")"
		sleep 0.05
	done
}

# server_stop SIGNAL - its status is in status
server_stop() {
	kill "-$1" "$pid"
	status=0
	wait "$pid" || status=$?
}

# control TEXT - send it to the control socket, print what comes back in a second
control() {
	python3 -c 'import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.settimeout(1)
peer.connect(sys.argv[1])
peer.sendall(sys.argv[2].encode())
peer.shutdown(socket.SHUT_WR)
while True:
	data = peer.recv(65536)
	if not data:
		break
	sys.stdout.write(data.decode())' "$WORK/control" "$1"
}

command_line() {
	refused 2 'which socket' -- "$CXLVM" device
	refused 2 'value is missing' -- "$CXLVM" device --socket
	refused 2 'value is missing' -- "$CXLVM" device --socket=
	refused 2 "unknown option '--sock'" -- "$CXLVM" device --sock x
	refused 2 "unknown option 'x'" -- "$CXLVM" device x
	refused 2 "not a size: 'large'" -- "$CXLVM" device --socket s --size large
	refused 2 "not a number: '-1'" -- "$CXLVM" device --socket s --serial -1
	refused 2 "not known: 'window'" -- "$CXLVM" device --socket s --expose-memory window
}

sizes() {
	refused 1 '134217728' '256 MiB' -- "$CXLVM" device --socket s --size 128M
	refused 1 'size of 0 bytes' -- "$CXLVM" device --socket s --size 0
	refused 1 '805306368.*power of two' -- "$CXLVM" device --socket s --size 768M --expose-memory bar
}

socket_paths() {
	refused 1 'socket path of 200 bytes.*107' -- "$CXLVM" device --socket \
		"$(printf '%0200d' 0)" $SIZE
	refused 1 'no/such: no such file|folder of the socket no/such/s' -- "$CXLVM" device \
		--socket no/such/s $SIZE
	: >"$WORK/files/plain"
	refused 1 "$WORK/files/plain exists and is not a socket" -- "$CXLVM" device \
		--socket "$WORK/files/plain" $SIZE
	[ -f "$WORK/files/plain" ] || fail "the file is gone"
}

memory_files() {
	truncate -s 100M "$WORK/files/short"
	refused 1 'short has 104857600 bytes, the device memory 268435456' -- "$CXLVM" device \
		--socket s $SIZE --memory-file "$WORK/files/short"
	want_equal "size of the file" 104857600 "$(stat -c %s "$WORK/files/short")"
	refused 1 'no regular|not a regular' -- "$CXLVM" device --socket s $SIZE --memory-file /dev/null
	refused 1 'no/such/memory' -- "$CXLVM" device --socket s $SIZE --memory-file no/such/memory
}

full_file_system() {
	rm -rf "${SCENE:?}"/*
	mkdir "$SCENE/full"
	rc=0
	(cd "$SCENE" && unshare --mount --propagation private sh -c '
		mount -t tmpfs -o size=100M tmpfs full
		status=0
		"$1" device --socket full/s --size 256M --memory-file full/memory || status=$?
		ls -A full >left
		exit $status' sh "$CXLVM") >"$WORK/out" 2>"$WORK/err" || rc=$?
	want_equal "exit status" 1 $rc
	want_text "the message" 'full/memory: no room for 268435456 bytes' "$WORK/err"
	want_text "the message" 'hint: ' "$WORK/err"
	want_equal "left behind" '' "$(cat "$SCENE/left")"
}

living_and_dead() {
	server_start --control "$WORK/control"
	refused 1 "a server is listening on socket $WORK/socket" -- "$CXLVM" device \
		--socket "$WORK/socket" $SIZE
	refused 1 "a server is listening on socket $WORK/control" -- "$CXLVM" device \
		--socket s --control "$WORK/control" $SIZE
	want_equal "permissions" '600 600' "$(stat -c %a "$WORK/socket" "$WORK/control" | tr '\n' ' ' |
		sed 's/ $//')"
	# killed, it leaves both; the next one takes their places
	server_stop KILL
	[ -S "$WORK/socket" ] && [ -S "$WORK/control" ] || fail "the sockets are gone"
	server_start --control "$WORK/control"
	server_stop TERM
	want_equal "exit status" 0 $status
	[ ! -e "$WORK/socket" ] && [ ! -e "$WORK/control" ] || fail "a socket is left behind"
	server_start
	server_stop INT
	want_equal "exit status" 0 $status
}

control_socket() {
	server_start --control "$WORK/control"
	control '{"command":"stats"}
' >"$WORK/stats"
	want_equal "members" 13 "$(jq length "$WORK/stats")"
	want_equal "connected" false "$(jq .connected "$WORK/stats")"
	# each line is answered, good ones with an object without error
	control '{"command":"poison","address":4096,"size":64}
{"command":"poison","address":4096,"size":0}
{"command":"poison","address":268435456,"size":1}
{"command":"poison","address":-1,"size":64}
{"command":"poison","address":"x","size":64}
{"command":"clear-poison","address":4096,"size":65}
{"command":"clear-poison","address":4096,"size":64}
{"command":"clear-poison"}
{"command":"memory-ready","ready":false}
{"command":"memory-ready","ready":1}
{"command":"memory-ready","ready":true}
{"command":"fail-resets","count":2}
{"command":"fail-resets","count":-2}
{"command":"none"}
{"command":7}
[]
nonsense
[[[[[[[[[[[[1]]]]]]]]]]]]
' >"$WORK/answers"
	want_equal "errors" 'false true true true true true false false false true false false true true true true true true ' \
		"$(jq -c 'has("error")' "$WORK/answers" | tr '\n' ' ')"
	# a line that never ends is not waited for, and the next connection is served
	control "$(head -c 5000 /dev/zero | tr '\0' x)" >"$WORK/long" 2>&1 || :
	want_equal "poisoned" 0 "$(control '{"command":"stats"}
' | jq .poisoned)"
	server_stop TERM
	want_equal "exit status" 0 $status
}

# who reads its messages goes away: a client that makes it print another does not end it
reader_leaves() {
	mkfifo "$WORK/messages"
	"$CXLVM" device --socket "$WORK/socket" $SIZE >/dev/null 2>"$WORK/messages" &
	pid=$!
	head -n 1 "$WORK/messages" >"$WORK/first"
	want_text "the first message" "listening on $WORK/socket" "$WORK/first"
	python3 -c 'import socket, sys
for i in range(3):
	peer = socket.socket(socket.AF_UNIX)
	peer.settimeout(5)
	peer.connect(sys.argv[1])
	peer.sendall(b"\377" * 16)
	if peer.recv(16):
		sys.exit("it answers nonsense")' "$WORK/socket"
	kill -0 "$pid" || fail "the server is gone"
	server_stop TERM
	want_equal "exit status" 0 $status
}

# ask COUNT - a client that agrees on a version and then asks for 4 bytes so often, or for ever (0);
# "there" in $WORK/client when it was answered for the first time, and rests after the last time
ask() {
	python3 -c 'import itertools, socket, struct, sys, time
def message(command, payload):
	return struct.pack("<HHIII", 1, command, 16 + len(payload), 0, 0) + payload
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
peer.sendall(message(1, b"\0" * 4))
peer.recv(4096)
read = message(9, struct.pack("<QII", 0, 7, 4))
count = int(sys.argv[2])
for i in range(count) if count else itertools.count():
	peer.sendall(read)
	if len(peer.recv(64)) != 36:
		sys.exit("no answer")
	if i == 0:
		print("there", flush=True)
# the first half of a header
peer.sendall(read[:8])
time.sleep(100)' "$WORK/socket" "$1" >"$WORK/client" &
	client=$!
	for _ in $(seq 200); do
		! grep -q there "$WORK/client" || return 0
		sleep 0.05
	done
	fail "the client gets no answer"
}

switches() {
	awk '/ctxt_switches/ { n += $2 } END { print n }' "/proc/$pid/status"
}

# Inside of the receive, where it waits for the next message, the server is interrupted by a timer: not
# kept from anything else by a client that never rests or stops in the middle, and asleep behind it.
# Whoever starts it may have held the timer's signal back.
client_never_rests() {
	client=
	trap 'kill -KILL $client $pid 2>/dev/null || :' EXIT
	real=$CXLVM
	printf '#!/bin/sh\nexec env --block-signal=ALRM "%s" "$@"\n' "$real" >"$WORK/held"
	chmod +x "$WORK/held"
	CXLVM=$WORK/held
	server_start --control "$WORK/control"
	CXLVM=$real
	for count in 0 5; do
		ask $count
		want_equal "connected" true "$(control '{"command":"stats"}
' | jq .connected)"
		refused 1 'closed the connection' 'hint: if the server has another client' -- timeout 10 "$CXLVM" plan \
			--device "user:$WORK/socket"
		[ $count != 0 ] || { kill -KILL $client; wait $client || :; }
	done
	sleep 0.2
	before=$(switches)
	sleep 1
	[ $(($(switches) - before)) -lt 10 ] || fail "woken $(($(switches) - before)) times for nothing"
	kill -KILL $client
	wait $client || :
	ask 0
	server_stop TERM
	want_equal "exit status" 0 $status
	kill -KILL $client 2>/dev/null || :
	wait $client || :
	trap - EXIT
}

# every option of the help is in the manual
manual() {
	"$CXLVM" help device >"$WORK/help"
	sed -n 's/^ *--\([a-z-]*\) .*/\1/p' "$WORK/help" | grep -v '^help$' >"$WORK/options"
	[ "$(wc -l <"$WORK/options")" -ge 7 ] || fail "$(cat "$WORK/help")"
	while read -r option; do
		grep -qF -e "\\-\\-$(echo "$option" | sed 's/-/\\-/g')" man/cxlvm-device.1 ||
			fail "--$option is not in the manual"
	done <"$WORK/options"
}

check "a command line that is not understood" command_line
check "sizes that cannot be" sizes
check "socket paths that cannot be" socket_paths
check "memory files that cannot be" memory_files
if [ "$(id -u)" = 0 ]; then
	check "a memory file on a full file system" full_file_system
else
	skip "a memory file on a full file system" "mounting one needs root"
fi
check "a living server is not disturbed, a dead one's sockets are replaced" living_and_dead
check "the control socket answers each line" control_socket
check "nobody reads its messages any more" reader_leaves
check "a client that never rests keeps nobody else waiting" client_never_rests
check "the manual has all options" manual
tap_end
