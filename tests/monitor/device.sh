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
	refused 1 'device memory of 4398046511104 bytes: Cannot allocate memory' 'ulimit -v' -- \
		sh -c 'ulimit -v 2000000; exec "$@"' sh "$CXLVM" device --socket s --size 4T
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

# A log that nobody reads is full at some time: lines are left out, and told when there is room again.
log_is_full() {
	rm -f "$WORK/messages"
	mkfifo "$WORK/messages"
	# open for reading, and not read
	exec 8<>"$WORK/messages"
	"$CXLVM" device --socket "$WORK/socket" $SIZE --trace '*' 2>"$WORK/messages" 8<&- &
	pid=$!
	for _ in $(seq 200); do
		[ ! -S "$WORK/socket" ] || break
		sleep 0.05
	done
	# 64 KiB are some 800 lines; a server that waits for its log does not answer one of these
	python3 -c 'import socket, struct, sys
peer = socket.socket(socket.AF_UNIX)
peer.settimeout(10)
peer.connect(sys.argv[1])
peer.sendall(struct.pack("<HHIIIHH", 1, 1, 20, 0, 0, 0, 0))
peer.recv(4096)
for i in range(3000):
	peer.sendall(struct.pack("<HHIIIQII", i, 9, 32, 0, 0, 0, 7, 4))
	if len(peer.recv(4096)) != 36:
		sys.exit("no answer")' "$WORK/socket" || fail "it waits for its log"
	python3 -c 'import os
fd = os.open(os.sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)
while True:
	try:
		os.read(fd, 65536)
	except BlockingIOError:
		break' "$WORK/messages"
	python3 -c 'import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.connect(sys.argv[1])
peer.sendall(b"\377" * 16)
peer.recv(16)' "$WORK/socket"
	server_stop TERM
	want_equal "exit status" 0 $status
	timeout 1 cat <&8 >"$WORK/log" || :
	exec 8<&-
	want_text "the log" '[1-9][0-9]* lines are missing here' "$WORK/log"
}

# Who comes and goes in a loop does not fill the log.
log_lines_are_limited() {
	server_start
	python3 -c 'import socket, sys
for i in range(300):
	peer = socket.socket(socket.AF_UNIX)
	peer.settimeout(5)
	peer.connect(sys.argv[1])
	peer.sendall(b"\377" * 16)
	peer.recv(16)' "$WORK/socket"
	server_stop TERM
	lines=$(grep -c 'client left' "$WORK/server.log")
	seconds=$(grep -c 'more of this is not printed' "$WORK/server.log")
	[ "$seconds" -ge 1 ] || fail "it says nothing about what it leaves out"
	# the first and the last second need not have so many
	[ "$lines" -le $((10 * (seconds + 2))) ] || fail "$lines lines, $seconds times too many"
}

# Messages whose command has a name that the pattern matches, with what they were.
trace_by_pattern() {
	for pattern in '*' 'REGION_*'; do
		server_start --trace "$pattern"
		python3 -c 'import socket, struct, sys
peer = socket.socket(socket.AF_UNIX)
peer.settimeout(5)
peer.connect(sys.argv[1])
for message in [struct.pack("<HHIIIHH", 1, 1, 20, 0, 0, 0, 0),
		struct.pack("<HHIIIQII", 2, 9, 32, 0, 0, 0, 7, 4),
		struct.pack("<HHIIIQII", 3, 9, 32, 0, 0, 4096, 7, 4),
		struct.pack("<HHIII", 4, 99, 16, 0, 0)]:
	peer.sendall(message)
	peer.recv(4096)' "$WORK/socket"
		server_stop TERM
		grep '^trace: ' "$WORK/server.log" >"$WORK/trace" || :
		want_text "the trace" \
			'received command REGION_READ \(9\) id 2 size 32 descriptors 0 error 0$' "$WORK/trace"
		want_text "the trace" \
			'sent reply REGION_READ \(9\) id 2 size 36 descriptors 0 error 0$' "$WORK/trace"
		want_text "the trace" \
			'sent reply REGION_READ \(9\) id 3 size 16 descriptors 0 error 22$' "$WORK/trace"
		case $pattern in
		'*') want_text "the trace" 'received command unknown \(99\) id 4' "$WORK/trace" ;;
		*) want_equal "lines" 4 "$(wc -l <"$WORK/trace")" ;;
		esac
	done
}

# Limits on the size of files are an error like others, not the end by a signal.
file_size_limit() {
	for option in '' "--memory-file $WORK/files/limited"; do
		rc=0
		# shellcheck disable=SC2086 # words
		(ulimit -f 1000 && exec "$CXLVM" device --socket "$WORK/socket" $SIZE $option) \
			>"$WORK/out" 2>"$WORK/err" || rc=$?
		want_equal "exit status" 1 $rc
		want_text "the message" '268435456 bytes: File too large' "$WORK/err"
		want_text "the hint" 'hint: .*ulimit -f' "$WORK/err"
	done
	[ ! -e "$WORK/files/limited" ] || fail "the memory file is left behind"
}

# A start that fails leaves nothing.
failed_start() {
	: >"$WORK/files/plain"
	refused 1 'plain exists and is not a socket' -- "$CXLVM" device --socket "$WORK/socket" $SIZE \
		--memory-file "$WORK/files/made" --control "$WORK/files/plain"
	[ ! -e "$WORK/files/made" ] && [ ! -e "$WORK/socket" ] || fail "something is left behind"
}

# One memory, one device: another server's, or one in the process of a monitor.
memory_file_in_use() {
	server_start --memory-file "$WORK/files/shared"
	busy="shared is the memory of a device of process [0-9]"
	# shellcheck disable=SC2086 # two words
	refused 1 "$busy" 'of its own' -- "$CXLVM" device --socket s $SIZE --memory-file "$WORK/files/shared"
	if have_kvm; then
		sh "$PAYLOAD_TOOL" build "$WORK/files/payload"
		refused 1 "$busy" 'of its own' -- "$CXLVM" run --kernel "$WORK/files/payload" \
			--device "sim,size=256M,memory-file=$WORK/files/shared"
	fi
	[ -f "$WORK/files/shared" ] || fail "the file is gone"
	server_stop KILL
	server_start --memory-file "$WORK/files/shared"
	server_stop TERM
	rm "$WORK/files/shared"
}

# What is not understood is refused, not left out.
control_is_strict() {
	server_start --control "$WORK/control"
	control '{"command":"stats","sizes":1}
{"command":"poison","address":4096,"size":64,"length":1}
{"command":"stats"} {"command":"stats"}
{"command":"stats"}x
{"command":"stats"}	 
' >"$WORK/answers"
	want_equal "errors" 'true true true true false ' \
		"$(jq -c 'has("error")' "$WORK/answers" | tr '\n' ' ')"
	want_text "the first answer" "unknown member 'sizes'" "$WORK/answers"
	python3 -c 'import socket, sys
peer = socket.socket(socket.AF_UNIX)
peer.settimeout(5)
peer.connect(sys.argv[1])
peer.sendall(b"{\"command\":\"stats\"}\0\n")
print(peer.recv(4096).decode())' "$WORK/control" >"$WORK/answers"
	want_text "the answer to a NUL" '"error"' "$WORK/answers"
	server_stop TERM
}

# cxlvm ctl speaks to it as to a machine.
control_by_ctl() {
	server_start --control "$WORK/control"
	ctl() {
		"$CXLVM" ctl "$@" >"$WORK/out" 2>"$WORK/err" || fail "ctl $*: $(cat "$WORK/err")"
	}
	ctl "$WORK/control" poison 0x1000 64
	ctl "$WORK/control" poison 1M 4K
	ctl "$WORK/control" stats
	want_text "the statistics" '^poisoned  *2$' "$WORK/out"
	want_text "the statistics" '^connected  *false$' "$WORK/out"
	refused 1 'no range with this address and size is poisoned' 'as they were poisoned' -- \
		"$CXLVM" ctl "$WORK/control" clear-poison 4096 65
	ctl "$WORK/control" clear-poison 4096 64
	ctl --json "$WORK/control" stats
	want_equal "poisoned" 1 "$(jq .poisoned "$WORK/out")"
	ctl "$WORK/control" clear-poison
	ctl "$WORK/control" memory-ready off
	ctl "$WORK/control" memory-ready on
	ctl "$WORK/control" fail-resets 2
	ctl --json "$WORK/control" stats
	want_equal "poisoned" 0 "$(jq .poisoned "$WORK/out")"
	refused 2 'not a number: many' -- "$CXLVM" ctl "$WORK/control" fail-resets many
	refused 2 'neither on nor off: maybe' -- "$CXLVM" ctl "$WORK/control" memory-ready maybe
	refused 2 'wrong number of arguments for poison' -- "$CXLVM" ctl "$WORK/control" poison 1
	refused 1 'poison: .*out of range' 'inside the memory' -- "$CXLVM" ctl "$WORK/control" poison 256M 1
	# what only a machine has
	refused 1 'unknown command' 'fail-resets' -- "$CXLVM" ctl "$WORK/control" status
	server_stop TERM
}

# said with both versions and what to use, in an error and in the server's log; it serves the next one
other_version() {
	server_start --control "$WORK/control"
	python3 -c 'import socket, struct, sys
peer = socket.socket(socket.AF_UNIX)
peer.settimeout(5)
peer.connect(sys.argv[1])
peer.sendall(struct.pack("<HHIIIHH", 7, 1, 20, 0, 0, 1, 3))
if struct.unpack("<HHIII", peer.recv(64)) != (7, 1, 16, 0x21, 22) or peer.recv(1):
	sys.exit("not refused")' "$WORK/socket"
	want_text "the message" \
		'client refused: it speaks vfio-user 1\.3, this server 0\.0: use a client of major version 0' \
		"$WORK/server.log"
	"$CXLVM" plan --device "user:$WORK/socket" >/dev/null
	server_stop TERM
	want_equal "exit status" 0 $status
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
check "a client of another major version" other_version
check "a client that never rests keeps nobody else waiting" client_never_rests
check "nobody reads its messages for now" log_is_full
check "messages about clients are ten in a second" log_lines_are_limited
check "a trace of the messages that a pattern matches" trace_by_pattern
check "limits on the size of files" file_size_limit
check "a start that fails leaves nothing" failed_start
check "one server for a memory file" memory_file_in_use
check "the control socket refuses what it does not know" control_is_strict
check "cxlvm ctl speaks to the control socket" control_by_ctl
check "the manual has all options" manual
tap_end
